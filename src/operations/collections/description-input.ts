import { z } from 'zod'
import { canonicalJson, packJson, textHash } from '../../base/json/canonical.ts'
import type { Plain } from '../../base/json/plain.ts'
import type { FieldError } from '../../base/refusal.ts'
import { readDocument, takeDocument } from '../../import/descriptions.ts'
import { type Imported, type ImportOptions, toCollection } from '../../import/openapi/collection.ts'
import { extensionWarnings } from '../../import/openapi/extension.ts'
import { broken, tooMuchToRead } from '../../import/text/plain-data.ts'
import { DOCUMENT_BYTES_MAX } from '../../import/text/read.ts'
import { confidential } from '../../model/annotations.ts'
import { type JsonSchema, ProxySpec } from '../../model/api/proxy.ts'
import type { Job } from '../engine/apart.ts'
import { readUnread, type UnreadDocument } from '../engine/unread.ts'

/** A description as operations take it. */
export const Document = confidential(
  'document',
  z.union([z.string().max(DOCUMENT_BYTES_MAX), z.looseObject({})]),
).describe('The description, Postman collection or HAR: JSON or YAML as text, or the JSON object itself')

export const BrokenRefs = z
  .enum(['refuse', 'skip'])
  .default('refuse')
  .describe('Schema references that cannot be resolved: refuse the import, or skip them and allow any value')

/** Of the answer of an import. */
export const NotEnforced = z
  .array(z.object({ pointer: z.string(), keyword: z.string(), reason: z.string() }))
  .describe('Keywords of the description that are not enforced, with reasons; pointers refer to the document')

export interface AskedDescription {
  readonly document: string | Plain | UnreadDocument
  readonly options: ImportOptions
}

/** What an import makes of a description. */
export interface ReadDescription {
  readonly collection: Imported['collection']
  /** Parsed by the schema of the kind. */
  readonly proxies: readonly (ProxySpec & { readonly slug: string })[]
  readonly schemas: {
    /** As a collection refers to them. */
    readonly hash: string
    /** Canonical, and packed by `packJson`. */
    readonly json: string
    readonly count: number
  } | null
  readonly warnings: readonly FieldError[]
  readonly notEnforced: Imported['notEnforced']
}

/** Reads a description. Refuses with document_invalid. */
export const readDescription: Job<AskedDescription, ReadDescription> = {
  name: 'collections.import',
  tooMuch: tooMuchToRead,
  run: ({ document: given, options }) => {
    const document = readUnread(given)
    const description =
      typeof document === 'string'
        ? readDocument(document, { bytesMax: DOCUMENT_BYTES_MAX })
        : takeDocument(document)
    const { collection, proxies, schemas, warnings, notEnforced } = toCollection(description, options)
    return {
      collection,
      proxies: proxies.map((proxy) => ({ ...ProxySpec.parse(proxy), slug: proxy.slug })),
      schemas: schemas === null ? null : storedSchemas(schemas),
      warnings: [...extensionWarnings(description), ...warnings],
      notEnforced,
    }
  },
}

/** Characters of shared schemas, packed. The main thread stores and publishes them. */
const PACKED_CHARS_MAX = 8 * 1024 ** 2

/** Shared schemas as they are stored. Refuses with document_invalid. */
export function storedSchemas(schemas: Readonly<Record<string, JsonSchema>>): {
  readonly hash: string
  readonly json: string
  readonly count: number
} {
  const json = canonicalJson(schemas)
  const packed = packJson(json)
  if (packed.length > PACKED_CHARS_MAX)
    throw broken('/components/schemas', `the schemas take more than ${PACKED_CHARS_MAX} bytes, compressed`)
  return { hash: `sha256-${textHash(json)}`, json: packed, count: Object.keys(schemas).length }
}
