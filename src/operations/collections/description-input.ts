import { z } from 'zod'
import { readAhead, readDocument, takeDocument } from '../../import/descriptions.ts'
import type { Description } from '../../import/openapi/description.ts'
import { DOCUMENT_BYTES_MAX } from '../../import/text/read.ts'
import { confidential } from '../../model/confidential.ts'

/** A description as operations take it. */
export const Document = confidential(
  'document',
  z.union([z.string().max(DOCUMENT_BYTES_MAX), z.looseObject({})]),
).describe('The description, Postman collection or HAR: JSON or YAML as text, or the JSON object itself')
type Document = z.output<typeof Document>

export const BrokenRefs = z
  .enum(['refuse', 'skip'])
  .default('refuse')
  .describe('Schema references that cannot be resolved: refuse the import, or skip them and allow any value')

/** Of the answer of an import. */
export const NotEnforced = z
  .array(z.object({ pointer: z.string(), keyword: z.string(), reason: z.string() }))
  .describe('Keywords of the description that are not enforced, with reasons; pointers refer to the document')

/** The input with what takes long read already, which `prepare` of an operation may do. Refuses with document_invalid. */
export async function readAheadOf<I extends { readonly document: Document }>(input: I): Promise<I> {
  const { document } = input
  return typeof document === 'string'
    ? { ...input, document: await readAhead(document, { bytesMax: DOCUMENT_BYTES_MAX }) }
    : input
}

/** The description in the terms of OpenAPI 3.1. Refuses with document_invalid. */
export function readInput(document: Document): Description {
  return typeof document === 'string'
    ? readDocument(document, { bytesMax: DOCUMENT_BYTES_MAX })
    : takeDocument(document)
}
