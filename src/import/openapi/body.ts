import { canonicalJson, type Json } from '../../base/json/canonical.ts'
import { isPlain, type Plain, pointerTo } from '../../base/json/storable.ts'
import { type JsonSchema, MediaType } from '../../model/api/proxy.ts'
import { localTokens, lookUp, tokensOf } from './pointer.ts'
import { type Found, resolve } from './resolve.ts'
import type { Schemas } from './schemas.ts'

/** Larger examples are left out: they are read by people and models, and stored with every proxy. */
const EXAMPLE_BYTES_MAX = 16 * 1024
/** Bodies, responses and examples of one operation that are looked at; further ones add nothing but cost. */
const ALTERNATIVES_MAX = 100
const RESPONSES_MAX = 1000
const TYPES_MAX = 20

/** Contract of a body, as far as the description has one. */
export interface Body {
  readonly schema: JsonSchema | null
  /** Schemas of JSON media types that have another one, by media type. */
  readonly schemas?: Readonly<Record<string, JsonSchema>>
  /** Media types and ranges of a request body, of which the schema is for the JSON ones. */
  readonly types?: readonly string[]
  readonly required?: boolean
  readonly example?: Json
}

/** JSON first, then forms, then whatever is first. Lower is better. */
function rankOf(mediaType: string): number {
  const essence = mediaType.split(';')[0]!.trim().toLowerCase()
  if (essence === 'application/json') return 0
  if (/^[a-z]+\/[a-z0-9.!#$&^_-]+\+json$/.test(essence) || essence === 'text/json') return 1
  if (essence === '*/*' || essence === 'application/*') return 2
  if (essence === 'application/x-www-form-urlencoded') return 3
  if (essence === 'multipart/form-data') return 4
  return 5
}

/** The request body; when it is no JSON, `contentMediaType` of the schema says what it is. */
export function requestBody(document: Plain, value: unknown, pointer: string, schemas: Schemas): Body {
  const { value: body, pointer: place } = resolve(document, value, pointer, 'a request body')
  const media = bestOf(body, place, 5)
  const required = body['required'] === true
  if (media === undefined) return { schema: null, required }
  const contract = { ...contractOf(document, media, schemas), types: typesOf(body), required }
  if (media.rank <= 2)
    return { ...contract, ...othersOf(document, body, place, media, contract.schema, schemas) }
  const schema = contract.schema === null || contract.schema === true ? {} : contract.schema
  if (schema === false) return contract
  return { ...contract, schema: { ...schema, contentMediaType: media.mediaType.split(';')[0]!.trim() } }
}

/** Schemas of the JSON types beside the best one, where they say something else: each body is judged by that of its type. */
function othersOf(
  document: Plain,
  body: Plain,
  pointer: string,
  best: Media,
  schema: JsonSchema | null,
  schemas: Schemas,
): Pick<Body, 'schemas'> {
  const content = isPlain(body['content']) ? body['content'] : {}
  const common = canonicalJson(schema ?? true)
  const found: Record<string, JsonSchema> = {}
  for (const [mediaType, value] of Object.entries(content).slice(0, TYPES_MAX)) {
    const type = mediaType.split(';')[0]!.trim().toLowerCase()
    if (mediaType === best.mediaType || rankOf(mediaType) > 2 || !isPlain(value) || type in found) continue
    const place = pointerTo(pointer, 'content', mediaType)
    const own =
      contractOf(document, { mediaType, rank: 0, found: { value, pointer: place } }, schemas).schema ?? true
    if (canonicalJson(own) !== common && MediaType.safeParse(type).success) found[type] = own
  }
  return Object.keys(found).length === 0 ? {} : { schemas: found }
}

/** Every media type that the description takes; none when one of them cannot be told apart from others. */
function typesOf(body: Plain): string[] {
  const content = isPlain(body['content']) ? body['content'] : {}
  const types = Object.keys(content).map((type) => type.split(';')[0]!.trim().toLowerCase())
  return types.length <= TYPES_MAX && types.every((type) => MediaType.safeParse(type).success)
    ? [...new Set(types)]
    : ['*/*']
}

/** The body of the first successful response that is JSON: lowest 2xx, then `2XX`, then `default`. */
export function responseBody(document: Plain, value: unknown, pointer: string, schemas: Schemas): Body {
  if (!isPlain(value)) return { schema: null }
  // Every response is looked up, so that a broken reference is found whichever is chosen.
  const responses = Object.keys(value)
    .filter((status) => !status.startsWith('x-'))
    .slice(0, RESPONSES_MAX)
    .map((status) => ({
      status,
      found: resolve(document, value[status], pointerTo(pointer, status), 'a response'),
    }))
  const order = (status: string): number =>
    /^2\d\d$/.test(status) ? Number(status) : status.toUpperCase() === '2XX' ? 300 : 301
  const successful = responses
    .filter(({ status }) => /^2(\d\d|XX)$/i.test(status) || status === 'default')
    .sort((a, b) => order(a.status) - order(b.status))
  for (const { found } of successful) {
    const media = bestOf(found.value, found.pointer, 2)
    if (media !== undefined) return contractOf(document, media, schemas)
  }
  return { schema: null }
}

interface Media {
  readonly mediaType: string
  readonly rank: number
  readonly found: Found
}

function bestOf(owner: Plain, pointer: string, rankMax: number): Media | undefined {
  const content = owner['content']
  if (!isPlain(content)) return undefined
  let best: Media | undefined
  for (const [mediaType, value] of Object.entries(content).slice(0, ALTERNATIVES_MAX)) {
    const rank = rankOf(mediaType)
    if (isPlain(value) && rank <= rankMax && rank < (best?.rank ?? 9))
      best = { mediaType, rank, found: { value, pointer: pointerTo(pointer, 'content', mediaType) } }
  }
  return best
}

function contractOf(document: Plain, media: Media, schemas: Schemas): Body {
  const { value, pointer } = media.found
  const schema =
    value['schema'] === undefined ? null : schemas.take(value['schema'], [...tokensOf(pointer), 'schema'])
  const example = exampleOf(document, value)
  return example === undefined ? { schema } : { schema, example }
}

/** The first example of a media type, or of its schema. Values in other places are never fetched. */
function exampleOf(document: Plain, media: Plain): Json | undefined {
  const candidates: unknown[] = [media['example']]
  const listed = isPlain(media['examples']) ? Object.values(media['examples']).slice(0, ALTERNATIVES_MAX) : []
  for (const item of listed) {
    const example = follow(document, item)
    // OpenAPI 3.2 calls it `dataValue`
    if (isPlain(example)) candidates.push(example['value'] ?? example['dataValue'])
  }
  const schema = follow(document, media['schema'])
  if (isPlain(schema))
    candidates.push(Array.isArray(schema['examples']) ? schema['examples'][0] : undefined, schema['example'])
  const example = candidates.find((item) => item !== undefined)
  if (example === undefined || !isSmall(example)) return undefined
  return example as Json // Part of a document that is plain JSON.
}

/** Measures no further than the bound: a large example may be shared by thousands of operations. */
function isSmall(example: unknown): boolean {
  let left = EXAMPLE_BYTES_MAX
  const spend = (value: unknown): boolean => {
    if (typeof value === 'string') left -= Buffer.byteLength(value) + 2
    else if (value === null || typeof value !== 'object') left -= 6
    else {
      left -= 2
      for (const [key, inner] of Object.entries(value)) {
        left -= Array.isArray(value) ? 1 : key.length + 4
        if (left < 0 || !spend(inner)) return false
      }
    }
    return left >= 0
  }
  return spend(example)
}

/** The target of a local reference, or the value itself; examples are a courtesy, so nothing is refused. */
function follow(document: Plain, value: unknown): unknown {
  let current = value
  for (let hops = 0; hops < 8 && isPlain(current) && typeof current['$ref'] === 'string'; hops++) {
    const tokens = localTokens(current['$ref'])
    current = tokens === null ? undefined : lookUp(document, tokens)
  }
  return current
}
