/**
 * Reads a newer description and compares it with a collection in an `apart` thread, because both may be tens of megabytes.
 * The main thread gets the writes.
 */

import { z } from 'zod'
import { canonicalJson, mayFit, packJson, textHash, unpackJson } from '../../base/json/canonical.ts'
import type { Plain } from '../../base/json/storable.ts'
import type { FieldError } from '../../base/refusal.ts'
import { readDocument, takeDocument } from '../../import/descriptions.ts'
import {
  extensionWarnings,
  type Imported,
  type ImportOptions,
  toCollection,
} from '../../import/openapi/collection.ts'
import { DOCUMENT_BYTES_MAX } from '../../import/text/configuration.ts'
import { broken, tooMuchToRead } from '../../import/text/plain-data.ts'
import { confidential } from '../../model/annotations.ts'
import { type JsonSchema, ProxySpec } from '../../model/api/proxy.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { Job } from '../engine/apart.ts'
import type { Warning } from '../engine/kind.ts'
import { isUnread, readUnread, type UnreadDocument, unread } from '../engine/unread.ts'
import { breakingChanges, type Shared, sharedBy } from './breaking.ts'

/** Members of a proxy that a description says; all others are the operator's. */
const DESCRIBED = [
  'name',
  'description',
  'tags',
  'operation_id',
  'deprecated',
  'methods',
  'path',
  'parameters',
  'request_schema',
  'request_schemas',
  'request_types',
  'request_required',
  'response_schema',
  'request_example',
  'response_example',
] as const

/** A proxy of the collection as it stands. */
type KnownProxy = Pick<Resource, 'id' | 'slug' | 'status' | 'spec'>

/** The collection as it stands. */
export interface Standing {
  readonly known: readonly KnownProxy[]
  /** Its shared schemas as they are stored. */
  readonly schemas: string | null
  /** Proxies that are missing in the description become drafts. */
  readonly hides: boolean
}

/** What a description changes for the callers of one proxy. */
export interface ProxyChange {
  readonly change: 'added' | 'changed' | 'missing'
  /** Slug. */
  readonly proxy: string
  readonly route: string
  /** That differ. */
  readonly members: string[]
  readonly breaking: Warning[]
}

/** What a description makes of a collection. */
export interface Compared {
  readonly changes: ProxyChange[]
  /** In the order of the description: the spec of each proxy to write, under its id where there is one. */
  readonly writes: readonly (
    | { readonly id: string; readonly spec: ProxySpec }
    | { readonly id: null; readonly spec: ImportedProxy }
  )[]
  /** Ids of proxies that the description does not have. */
  readonly missing: readonly string[]
  /** Shared schemas as they are to be stored. */
  readonly schemas: ReadDescription['schemas']
  readonly warnings: ReadDescription['warnings']
  readonly notEnforced: ReadDescription['notEnforced']
}

/** A description that was read. A large one stays bytes, and only the thread apart parses it. */
interface Kept {
  readonly description: ReadDescription | UnreadDocument
}

/** Characters of a description that is small, as JSON. */
const SMALL_CHARS = 8192

/** Reads a description. Refuses as {@link readDescription}. */
export const readForComparison: Job<AskedDescription, Kept> = {
  name: 'collections.reimport',
  tooMuch: tooMuchToRead,
  run: async (asked) => {
    const description = await readDescription.run(asked)
    return { description: mayFit(description, SMALL_CHARS) ? description : unread({ ...description }) }
  },
}

/** Compares a description that {@link readForComparison} has read. */
export const compareDescription: Job<Standing & Kept, Compared> = {
  name: 'collections.compare',
  tooMuch: tooMuchToRead,
  run: ({ description, ...standing }) =>
    // Written by the job above
    compared((isUnread(description) ? readUnread(description) : description) as ReadDescription, standing),
}

function compared(description: ReadDescription, { known, schemas, hides }: Standing): Compared {
  const before = schemas === null ? {} : schemasIn(schemas)
  const pairs = pairsOf(known, description)
  const after = description.schemas === null ? {} : schemasIn(description.schemas.json)
  const kept = keptSchemas(pairs.missing, before, after)
  const shared = sharedBy(before, kept)
  const changes: ProxyChange[] = []
  const writes: Compared['writes'][number][] = []
  for (const pair of pairs.found) {
    const change = changeOf(pair, shared)
    const { resource, proxy } = pair
    if (resource === null) writes.push({ id: null, spec: proxy })
    else if (change !== null && change.members.length > 0)
      writes.push({ id: resource.id, spec: described(resource, proxy) })
    if (change !== null) changes.push(change)
  }
  for (const resource of pairs.missing) changes.push(missing(resource, hides))
  return {
    changes,
    writes,
    missing: pairs.missing.map(({ id }) => id),
    schemas: kept === after ? description.schemas : toStoredSchemas(kept),
    warnings: description.warnings,
    notEnforced: description.notEnforced,
  }
}

/** Shared schemas as they are stored, by name. An import has stored them. */
function schemasIn(packed: string): Schemas {
  return JSON.parse(unpackJson(packed)) as Schemas
}

type Schemas = Readonly<Record<string, JsonSchema>>

export type ImportedProxy = ReadDescription['proxies'][number]

interface Pairs {
  /** What the description has, with the proxy of it; null for a new one. */
  readonly found: readonly { readonly resource: KnownProxy | null; readonly proxy: ImportedProxy }[]
  readonly missing: readonly KnownProxy[]
}

function pairsOf(known: readonly KnownProxy[], { proxies }: ReadDescription): Pairs {
  const left = new Set(known)
  const byId = new Map<string, KnownProxy>()
  const byRoute = new Map<string, KnownProxy>()
  for (const resource of known) {
    const spec = specOf(resource)
    if (spec.operation_id !== null) byId.set(spec.operation_id, resource)
    for (const route of routesOf(spec)) byRoute.set(route, resource)
  }
  const take = (resource: KnownProxy | undefined): KnownProxy | null =>
    resource !== undefined && left.delete(resource) ? resource : null
  // By operationId first, so that a route that moved is not taken for another operation
  const named = new Map(proxies.map((proxy) => [proxy, take(byId.get(proxy.operation_id ?? ''))]))
  const found = proxies.map((proxy) => ({
    proxy,
    resource: named.get(proxy) ?? take(byRoute.get(routesOf(proxy)[0]!)),
  }))
  return { found, missing: [...left] }
}

function specOf({ spec }: KnownProxy): ProxySpec {
  // Parsed again, since earlier versions stored fewer members
  return ProxySpec.parse(spec)
}

function routesOf({ methods, path }: Pick<ProxySpec, 'methods' | 'path'>): string[] {
  return methods.map((method) => `${method} ${path.replace(/\{[^{}]*\}/g, '{}')}`)
}

/** The proxy with what the description says of it. */
function described(resource: KnownProxy, proxy: ImportedProxy): ProxySpec {
  const spec = specOf(resource)
  const said = Object.fromEntries(DESCRIBED.map((member) => [member, proxy[member]]))
  const isWider = spec.methods.length > 1 && spec.methods.includes(proxy.methods[0]!)
  return {
    ...spec,
    ...said,
    methods: isWider ? spec.methods : proxy.methods,
    // Its parameters have the names of those of the path
    target_path: spec.target_path === null || spec.path === proxy.path ? spec.target_path : proxy.target_path,
  }
}

/** Null where nothing differs. */
function changeOf({ resource, proxy }: Pairs['found'][number], shared: Shared): ProxyChange | null {
  if (resource === null)
    return { change: 'added', proxy: proxy.slug, route: routeOf(proxy), members: [], breaking: [] }
  const [was, is] = [specOf(resource), described(resource, proxy)]
  const members = DESCRIBED.filter((member) => canonicalJson(was[member]) !== canonicalJson(is[member]))
  const breaking = breakingChanges(was, is, shared)
  if (members.length === 0 && breaking.length === 0) return null
  return { change: 'changed', proxy: resource.slug, route: routeOf(is), members, breaking }
}

function missing(resource: KnownProxy, isHidden: boolean): ProxyChange {
  const gone = isHidden && resource.status === 'published'
  return {
    change: 'missing',
    proxy: resource.slug,
    route: routeOf(specOf(resource)),
    members: gone ? ['status'] : [],
    breaking: gone ? [{ pointer: '/status', reason: 'no longer exists' }] : [],
  }
}

function routeOf({ methods, path }: Pick<ProxySpec, 'methods' | 'path'>): string {
  return `${methods.join(',')} ${path}`
}

/** Proxies that stay without being described any more may still point into the schemas of before. */
function keptSchemas(left: Pairs['missing'], before: Schemas, after: Schemas): Schemas {
  const isUsed = left.some(({ spec }) => JSON.stringify(spec).includes('"#/$defs/'))
  return isUsed ? { ...before, ...after } : after
}

function toStoredSchemas(schemas: Schemas): ReadDescription['schemas'] {
  return Object.keys(schemas).length === 0 ? null : storedSchemas(schemas)
}

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
function storedSchemas(schemas: Readonly<Record<string, JsonSchema>>): {
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
