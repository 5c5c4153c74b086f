import { isPlain, type Plain, pointerTo, scalarText } from '../base/json/storable.ts'
import { type FieldError, Refusal } from '../base/refusal.ts'
import { withoutEndSlashes } from '../base/text/url.ts'
import { type Description, MadePaths } from './openapi/description.ts'
import { toPattern } from './openapi/parameters.ts'
import { broken } from './text/plain-data.ts'

/** Values of variables may hold variables; more is a circle. */
const SUBSTITUTIONS_MAX = 8
/** Longest host with the path that stands in its variables, while they are filled in: they may double it each time. */
const HOST_MAX = 1000
/** Headers that say who calls or how bytes travel: never a parameter of an endpoint. */
const NO_PARAMETER = new Set(['authorization', 'content-type', 'content-length', 'cookie', 'host', 'accept'])

/** True for a collection of Postman in the format 2.0 or 2.1 (schema.getpostman.com). */
export function isPostman(document: Plain): boolean {
  const { info, item } = document
  return Array.isArray(item) && isPlain(info) && /\/v2\.[01]\.\d\//.test(scalarText(info['schema']) ?? '')
}

/** True for a collection of Postman in the format 1, which Postman itself no longer imports. */
export function isFirstPostman({ requests, order, folders }: Plain): boolean {
  return Array.isArray(requests) && (Array.isArray(order) || Array.isArray(folders))
}

/**
 * A Postman collection as an OpenAPI 3.1 description. A request that cannot be read is left out. Names, texts, paths, parameters and example bodies are taken over; values of
 * variables serve the host alone, and authentication, scripts and values of headers are left out: they may be secrets.
 * Refuses with document_invalid.
 */
export function fromPostman(collection: Plain): Description {
  const info = collection['info'] as Plain
  const state: State = {
    variables: variablesOf(collection['variable']),
    paths: new MadePaths(),
    servers: new Map(),
    notes: [],
    requests: [],
  }
  takeItems(state, collection['item'], '/item', [])
  noteLeftOut(state, collection)
  const [main] = [...state.servers].sort(([, a], [, b]) => b - a)
  for (const request of state.requests) takeRequest(state, request, main?.[0] ?? null)
  return {
    document: {
      openapi: '3.1.0',
      info: { title: info['name'], description: textOf(info['description']), version: '1' },
      ...(main === undefined ? {} : { servers: [{ url: main[0] }] }),
      paths: state.paths.toPlain(),
    },
    sourceOf: (pointer) => placeOf(state, pointer),
    notes: state.notes,
  }
}

interface State {
  readonly variables: ReadonlyMap<string, string>
  readonly paths: MadePaths
  /** How many requests go to each. */
  readonly servers: Map<string, number>
  readonly notes: FieldError[]
  readonly requests: FoundRequest[]
}

interface FoundRequest {
  readonly place: string
  readonly item: Plain
  readonly asked: Plain
  readonly url: ReadUrl
  readonly tags: readonly string[]
}

function takeItems(state: State, items: unknown, pointer: string, tags: readonly string[]): void {
  if (!Array.isArray(items)) {
    note(state, 'left out, a folder must have a list of requests and folders', pointer)
    return
  }
  for (const [index, item] of items.entries()) {
    const place = pointerTo(pointer, index)
    if (!isPlain(item)) note(state, 'left out, a request or a folder must be an object', place)
    else {
      noteLeftOut(state, item)
      if (item['item'] !== undefined)
        takeItems(state, item['item'], pointerTo(place, 'item'), [...tags, scalarText(item['name']) ?? ''])
      else findRequest(state, item, place, tags)
    }
  }
}

/** Places of the description are those of requests; what it says as a whole stands in `info`. */
function placeOf(state: State, pointer: string): string {
  const place = state.paths.sourceOf(pointer)
  if (place !== '') return place
  return pointer.startsWith('/info/title') ? '/info/name' : pointer.startsWith('/paths') ? '/item' : ''
}

/** Notes a part of the collection; without a place, what is true of many requests, once. */
function note({ notes }: State, reason: string, pointer = ''): void {
  if (pointer !== '' || notes.every((known) => known.reason !== reason)) notes.push({ pointer, reason })
}

/** Of the collection, a folder, a request. */
function noteLeftOut(state: State, { auth, event }: Plain): void {
  if (isPlain(auth)) note(state, 'authentication is not imported; set a credential')
  if (Array.isArray(event) && event.length > 0) note(state, 'scripts and tests are not imported')
}

function findRequest(state: State, item: Plain, pointer: string, tags: readonly string[]): void {
  const { request } = item
  const asked: Plain = typeof request === 'string' ? { url: request } : isPlain(request) ? request : {}
  const place = isPlain(request)
    ? pointerTo(pointer, 'request', 'url')
    : pointerTo(pointer, ...(request === undefined ? [] : ['request']))
  const url = usableUrl(state, asked['url'], place)
  if (url === null) return
  if (url.server !== null) state.servers.set(url.server, (state.servers.get(url.server) ?? 0) + 1)
  state.requests.push({ place: pointer, item, asked, url, tags })
}

/** The URL of a request; null for one that no request can be made of, which is noted. */
function usableUrl(state: State, given: unknown, pointer: string): ReadUrl | null {
  try {
    const url = readUrl(state, given, pointer)
    toPattern(url.path, pointer)
    return url
  } catch (error) {
    const fault = error instanceof Refusal ? error.facts.errors?.[0] : undefined
    if (fault === undefined) throw error
    note(state, `left out: ${fault.reason}`, fault.pointer)
    return null
  }
}

/** @param main the server of the description: what was sent elsewhere is not sent there instead */
function takeRequest(
  state: State,
  { place, item, asked, url, tags }: FoundRequest,
  main: string | null,
): void {
  const called = `"${(scalarText(item['name']) ?? '').slice(0, 80)}"`
  const path = pathAt(url, main)
  if (path === null) {
    const server = url.server?.slice(0, 200)
    note(state, `${called} is left out: it is sent to ${server}; import that server separately`, place)
    return
  }
  if (url.server === null && main !== null)
    note(state, `${called} is sent to an unknown host; it is imported for ${main.slice(0, 200)}`, place)
  const method = (scalarText(asked['method']) ?? 'GET').toLowerCase()
  if (state.paths.has(path, method)) {
    note(
      state,
      `${called} is left out: ${method.toUpperCase()} ${path.slice(0, 200)} was already imported`,
      place,
    )
    return
  }
  noteLeftOut(state, asked)
  if (listedHeaders(asked['header']).some((name) => name.toLowerCase() === 'authorization'))
    note(state, 'authentication is not imported; set a credential')
  const body = bodyOf(asked['body'])
  if (
    body === null &&
    isPlain(asked['body']) &&
    asked['body']['disabled'] !== true &&
    Object.keys(asked['body']).length > 0
  )
    note(state, `the body of ${called} is left out: its mode is not known`, place)
  if (
    Array.isArray(item['response']) &&
    item['response'].some((one) => isPlain(one) && parsed(one['body']) === undefined)
  )
    note(state, 'examples of answers that are not JSON are left out')
  const operation = {
    summary: item['name'],
    description: textOf(asked['description'] ?? item['description']),
    tags,
    parameters: [...url.parameters, ...headersOf(asked['header'])],
    ...(body === null ? {} : { requestBody: { content: body } }),
    responses: responsesOf(item['response']),
  }
  state.paths.set(path, method, operation, place)
}

/** The path of a request below the main server; null where it is sent elsewhere. */
function pathAt({ server, path }: ReadUrl, main: string | null): string | null {
  if (server === null || main === null || server === main) return path
  const whole = server + path
  return whole.startsWith(`${main}/`) ? whole.slice(main.length) : null
}

/** Names of headers. */
function listedHeaders(headers: unknown): string[] {
  if (!Array.isArray(headers)) return []
  return headers.filter(isPlain).flatMap(({ key }) => (typeof key === 'string' ? [key] : []))
}

interface ReadUrl {
  /** Origin, with what of the path the variable of the host held; null when it holds no host. */
  readonly server: string | null
  readonly path: string
  readonly parameters: readonly Plain[]
}

/** `{{baseUrl}}/orders/:id?limit=10`, as text or in its parts. */
function readUrl(state: State, url: unknown, pointer: string): ReadUrl {
  const raw = isPlain(url) ? url['raw'] : url
  if (typeof raw !== 'string') throw broken(pointer, 'the URL of a request, as text or with `raw`')
  const [beforeQuery = '', rawQuery = ''] = raw.split('#')[0]!.split('?', 2)
  const match = /^((?:[a-z][a-z0-9+.-]*:\/\/)?[^/]*)(\/.*)?$/is.exec(beforeQuery)
  const path = (match?.[2] ?? '/')
    .replace(/\{\{([^{}]+)\}\}/g, '{$1}')
    .split('/')
    .map((segment) => segment.replace(/^:(.+)$/, '{$1}'))
    .join('/')
  const names = [...path.matchAll(/\{([^{}]+)\}/g)].map((found) => found[1]!)
  const described = descriptionsOf(isPlain(url) ? url['variable'] : undefined)
  const query = isPlain(url) && Array.isArray(url['query']) ? url['query'].filter(isPlain) : queryOf(rawQuery)
  return {
    server: serverOf(state, match?.[1] ?? ''),
    path,
    parameters: [
      ...names.map((name) => parameter(name, 'path', described.get(name))),
      ...once(query, 'key').map((one) => parameter(one['key'], 'query', one['description'])),
    ],
  }
}

function descriptionsOf(variables: unknown): ReadonlyMap<unknown, unknown> {
  if (!Array.isArray(variables)) return new Map()
  return new Map(variables.filter(isPlain).map((one) => [scalarText(one['key']), one['description']]))
}

function serverOf({ variables }: State, host: string): string | null {
  let text = host
  for (let count = 0; count < SUBSTITUTIONS_MAX && text.length <= HOST_MAX && text.includes('{{'); count++)
    text = text.replace(/\{\{([^{}]+)\}\}/g, (whole, name: string) => variables.get(name.trim()) ?? whole)
  if (text.includes('{{') || text === '' || text.length > HOST_MAX) return null
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`
  return URL.canParse(url) ? withoutEndSlashes(url) : null
}

function variablesOf(list: unknown): ReadonlyMap<string, string> {
  if (!Array.isArray(list)) return new Map()
  return new Map(
    list.filter(isPlain).flatMap((one) => {
      const { value } = one
      return typeof value === 'string' && value.length <= HOST_MAX
        ? [[scalarText(one['key'] ?? one['id']) ?? '', value] as const]
        : []
    }),
  )
}

function queryOf(text: string): Plain[] {
  return [...new URLSearchParams(text).keys()].map((key) => ({ key }))
}

function headersOf(headers: unknown): Plain[] {
  if (!Array.isArray(headers)) return []
  return once(headers.filter(isPlain), 'key').flatMap((one) => {
    const name = one['key']
    return NO_PARAMETER.has(name.toLowerCase()) ? [] : [parameter(name, 'header', one['description'])]
  })
}

/** Those that have a name, each name once: the first counts. */
function once<M extends string>(items: readonly Plain[], member: M): (Plain & Record<M, string>)[] {
  const seen = new Set<unknown>([''])
  return items.filter((item): item is Plain & Record<M, string> => {
    const name = item[member]
    if (typeof name !== 'string' || seen.has(name)) return false
    seen.add(name)
    return true
  })
}

function parameter(name: string, place: string, description: unknown): Plain {
  return {
    name,
    in: place,
    required: place === 'path',
    description: textOf(description),
    schema: { type: 'string' },
  }
}

function bodyOf(body: unknown): Plain | null {
  if (!isPlain(body) || body['disabled'] === true) return null
  switch (body['mode']) {
    case 'raw':
      return { [rawTypeOf(body)]: withExample(body['raw']) }
    case 'urlencoded':
      return { 'application/x-www-form-urlencoded': formOf(body['urlencoded']) }
    case 'formdata':
      return { 'multipart/form-data': formOf(body['formdata']) }
    case 'graphql':
      return { 'application/json': {} }
    case 'file':
      return { 'application/octet-stream': {} }
    default:
      return null
  }
}

const RAW_TYPES: ReadonlyMap<unknown, string> = new Map([
  ['json', 'application/json'],
  ['xml', 'application/xml'],
  ['html', 'text/html'],
  ['text', 'text/plain'],
])

function rawTypeOf({ raw, options }: Plain): string {
  const settings = isPlain(options) && isPlain(options['raw']) ? options['raw']['language'] : undefined
  const isJson = parsed(raw) !== undefined
  return RAW_TYPES.get(settings) ?? (isJson ? 'application/json' : 'text/plain')
}

function withExample(raw: unknown): Plain {
  const example = parsed(raw)
  return example === undefined ? {} : { example }
}

/** Text with variables in it is often no JSON: then there is no example. */
function parsed(raw: unknown): unknown {
  if (typeof raw !== 'string') return undefined
  try {
    return JSON.parse(raw) as unknown
  } catch {
    return undefined
  }
}

function formOf(fields: unknown): Plain {
  if (!Array.isArray(fields)) return {}
  const named = once(fields.filter(isPlain), 'key')
  return {
    schema: {
      type: 'object',
      properties: Object.fromEntries(
        named.map((one) => [one['key'], one['type'] === 'file' ? {} : { type: 'string' }]),
      ),
    },
  }
}

function responsesOf(responses: unknown): Plain {
  if (!Array.isArray(responses)) return {}
  const found: Plain = {}
  for (const one of responses.filter(isPlain)) {
    const status = scalarText(one['code']) ?? 'default'
    const example = parsed(one['body'])
    if (!/^\d{3}$/.test(status) || found[status] !== undefined || example === undefined) continue
    found[status] = { description: textOf(one['name']), content: { 'application/json': { example } } }
  }
  return found
}

/** Texts are strings, or objects with the text as `content`. */
function textOf(value: unknown): string {
  const text = isPlain(value) ? value['content'] : value
  return typeof text === 'string' ? text : ''
}
