/**
 * How the body of a call is written, from what a contract says of media types and schemas: the media type to send, and which parts of
 * the body are bytes that callers give as base64.
 */
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { nameIn } from '../schema-looseness.ts'
import type { JsonSchema } from './proxy.ts'

/** What of a contract describes the request body. Of what earlier versions have stored, the newer members are absent. */
interface BodyContract {
  readonly request_schema: JsonSchema | null
  readonly request_schemas?: Readonly<Record<string, JsonSchema>> | undefined
  readonly request_types?: readonly string[] | undefined
}

/** How a body is written. */
export interface BodyForm {
  /** A media type without parameters. */
  readonly type: string
  /** What is given as base64: the whole body, or these fields of a form. */
  readonly base64: true | readonly string[]
}

const JSON_TYPE = 'application/json'
const FORM = 'application/x-www-form-urlencoded'
const MULTIPART = 'multipart/form-data'
/** Media types whose bodies are text, besides JSON, forms and `text/*`. */
const TEXT =
  /^text\/|[/+](?:xml|yaml|x-yaml)$|^application\/(?:graphql|sql|toml|javascript|jsonl|.*ndjson|json-seq)$/
const BYTES =
  /^(?:image|audio|video|font|model)\/|^application\/(?:octet-stream|pdf|zip|gzip|x-tar|x-gzip|vnd\.ms-|vnd\.openxmlformats)/
/** What is sent where the contract names a range. */
const OF_RANGE: Readonly<Record<string, string>> = {
  'image/*': 'image/png',
  'audio/*': 'audio/mpeg',
  'video/*': 'video/mp4',
  'text/*': 'text/plain',
}
/** Schemas about one value that are looked at to tell what it is. */
const PLACES_MAX = 200

/** True for a media type of JSON (RFC 6839 section 3.1), in lower case and without parameters. */
export function isJson(essence: string): boolean {
  return essence === JSON_TYPE || essence === 'text/json' || essence.endsWith('+json')
}

export function isUrlEncoded(essence: string): boolean {
  return essence === FORM
}

export function isMultipart(essence: string): boolean {
  return essence === MULTIPART
}

/** JSON first, a patch that is a list of operations last of it, then forms, then what stands first. */
function rankOf(type: string): number {
  if (type === JSON_TYPE || type === '*/*' || type === 'application/*' || type === 'application/*+json')
    return 0
  if (type === 'application/json-patch+json') return 2
  if (isJson(type)) return 1
  if (isUrlEncoded(type)) return 3
  return isMultipart(type) || type === 'multipart/*' ? 4 : 5
}

/**
 * The form of a body.
 * @param shared schemas that `#/$defs/<name>` leads to
 * @param given the media type that the caller has named; undefined for the best one that the contract takes
 * @param isList the body is a list, which tells a JSON Patch (RFC 6902) from other patches
 */
export function bodyFormOf(contract: BodyContract, shared: Plain, given?: string, isList = false): BodyForm {
  const { request_schema, request_schemas = {}, request_types = [] } = contract
  const noted = isPlain(request_schema) ? request_schema['contentMediaType'] : undefined
  const types =
    request_types.length > 0 ? request_types : typeof noted === 'string' ? [noted.toLowerCase()] : []
  const patch = isList ? types.find((type) => type === 'application/json-patch+json') : undefined
  const best = patch ?? types.toSorted((a, b) => rankOf(a) - rankOf(b))[0] ?? JSON_TYPE
  const type = given ?? (rankOf(best) === 0 ? JSON_TYPE : concrete(best))
  const schema = Object.hasOwn(request_schemas, best) ? request_schemas[best]! : request_schema
  if (isMultipart(type)) return { type, base64: filesOf(schema, shared) }
  if (isJson(type) || isUrlEncoded(type) || TEXT.test(type)) return { type, base64: [] }
  return { type, base64: BYTES.test(type) || isFile(schema, shared) ? true : [] }
}

function concrete(type: string): string {
  if (!type.includes('*')) return type
  if (type === 'multipart/*') return MULTIPART
  return Object.hasOwn(OF_RANGE, type) ? OF_RANGE[type]! : 'application/octet-stream'
}

/** Names of the fields of a form that are files, or lists of files. */
function filesOf(schema: unknown, shared: Plain): readonly string[] {
  const names = new Set<string>()
  for (const { properties } of placesOf(schema, shared))
    if (isPlain(properties))
      for (const [name, field] of Object.entries(properties)) if (isFile(field, shared)) names.add(name)
  return [...names]
}

/** Bytes without an encoding: `format: binary` of OpenAPI 3.0 and 2.0, a media type without an encoding in 3.1. */
function isFile(schema: unknown, shared: Plain, depth = 0): boolean {
  return placesOf(schema, shared).some(({ format, contentMediaType, contentEncoding, items }) => {
    if (contentEncoding !== undefined) return false
    if (format === 'binary') return true
    if (typeof contentMediaType === 'string' && BYTES.test(contentMediaType.toLowerCase())) return true
    return depth === 0 && items !== undefined && isFile(items, shared, 1)
  })
}

/** The schema and all that says something about the same value, each once, up to a bound. */
function placesOf(schema: unknown, shared: Plain): readonly Plain[] {
  const found = new Set<Plain>()
  const open: unknown[] = [schema]
  while (open.length > 0 && found.size < PLACES_MAX) {
    const one = open.pop()
    if (!isPlain(one) || found.has(one)) continue
    found.add(one)
    const name = typeof one['$ref'] === 'string' ? nameIn(one['$ref']) : null
    if (name !== null && Object.hasOwn(shared, name)) open.push(shared[name])
    for (const keyword of ['allOf', 'anyOf', 'oneOf'] as const)
      if (Array.isArray(one[keyword])) open.push(...(one[keyword] as unknown[]))
  }
  return [...found]
}
