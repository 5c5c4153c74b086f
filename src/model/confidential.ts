import { z } from 'zod'

/**
 * Why a value is not told: it is a secret; a document, of which the secrets cannot be told from the rest; or what callers
 * send and are answered, which is theirs.
 */
export type Confidentiality = 'secret' | 'document' | 'traffic'

const known = z.registry<{ readonly confidentiality: Confidentiality }>()

/** The schema, of whose values only that there is one leaves the operation that takes or gives it. */
export function confidential<T extends z.ZodType>(confidentiality: Confidentiality, schema: T): T {
  known.add(schema, { confidentiality })
  return schema
}

/** What the schema itself is declared as; undefined where it is not confidential. */
export function confidentialityOf(schema: z.core.$ZodType): Confidentiality | undefined {
  return known.get(schema)?.confidentiality
}
