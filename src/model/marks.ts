import { z } from 'zod'

/**
 * Why a value is not told: it is a secret; a document, of which the secrets cannot be told from the rest; or what callers
 * send and are answered, which is theirs.
 */
export type Mark = 'secret' | 'document' | 'traffic'

const marks = z.registry<{ readonly mark: Mark }>()

/** The schema, of whose values only that there is one leaves the operation that takes or gives it. */
export function marked<T extends z.ZodType>(mark: Mark, schema: T): T {
  marks.add(schema, { mark })
  return schema
}

/** The mark of the schema itself; undefined where it has none. */
export function markOf(schema: z.ZodType): Mark | undefined {
  return marks.get(schema)?.mark
}
