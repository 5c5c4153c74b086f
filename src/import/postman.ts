import { isPlain, type Plain, scalarText } from '../base/plain.ts'
import { pointerTo } from '../base/pointer.ts'
import { withoutEndSlashes } from '../base/slashes.ts'
import { leftOut } from './openapi/left-out.ts'
import { MadePaths } from './openapi/made-paths.ts'
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

/**
 * A Postman collection as an OpenAPI 3.1 description. Names, texts, paths, parameters and example bodies are taken over; values of
 * variables serve the host alone, and authentication, scripts and values of headers are left out: they may be secrets.
 * Refuses with document_invalid.
 */
export function fromPostman(collection: Plain): Plain {
  const info = collection['info'] as Plain
  const state: State = {
    variables: variablesOf(collection['variable']),
    paths: new MadePaths(),
    servers: new Map(),
    notes: new Set(),
    requests: [],
  }
  takeItems(state, collection['item'], '/item', [])
  noteLeftOut(state, collection)
  const [main] = [...state.servers].sort(([, a], [, b]) => b - a)
  for (const request of state.requests) takeRequest(state, request, main?.[0] ?? null)
  return {
    openapi: '3.1.0',
    info: { title: info['name'], description: textOf(info['description']), version: '1' },
    ...(main === undefined ? {} : { servers: [{ url: main[0] }] }),
    paths: state.paths.toPlain(),
    ...leftOut(state.notes),
  }
}

interface State {
  readonly variables: ReadonlyMap<string, string>
  readonly paths: MadePaths
  /** How many requests go to each. */
  readonly servers: Map<string, number>
  readonly notes: Set<string>
  readonly requests: FoundRequest[]
}

interface FoundRequest {
  readonly item: Plain
  readonly asked: Plain
  readonly url: ReadUrl
  readonly tags: readonly string[]
}

function takeItems(state: State, items: unknown, pointer: string, tags: readonly string[]): void {
  if (!Array.isArray(items)) throw broken(pointer, 'a list of requests and folders')
  for (const [index, item] of items.entries()) {
    const place = pointerTo(pointer, index)
    if (!isPlain(item)) throw broken(place, 'a request or a folder is an object')
    noteLeftOut(state, item)
    if (item['item'] !== undefined)
      takeItems(state, item['item'], pointerTo(place, 'item'), [...tags, scalarText(item['name']) ?? ''])
    else findRequest(state, item, place, tags)
  }
}

/** Of the collection, a folder, a request. */
function noteLeftOut({ notes }: State, { auth, event }: Plain): void {
  if (isPlain(auth)) notes.add('authentication is not taken over; set a credential')
  if (Array.isArray(event) && event.length > 0) notes.add('scripts and tests are not taken over')
}

function findRequest(state: State, item: Plain, pointer: string, tags: readonly string[]): void {
  const { request } = item
  const asked: Plain = typeof request === 'string' ? { url: request } : isPlain(request) ? request : {}
  const url = readUrl(state, asked['url'], pointerTo(pointer, 'request', 'url'))
  if (url.server !== null) state.servers.set(url.server, (state.servers.get(url.server) ?? 0) + 1)
  state.requests.push({ item, asked, url, tags })
}

/** @param main the server of the description: what was sent elsewhere is not sent there instead */
function takeRequest(state: State, { item, asked, url, tags }: FoundRequest, main: string | null): void {
  const called = `"${(scalarText(item['name']) ?? '').slice(0, 80)}"`
  const path = pathAt(url, main)
  if (path === null) {
    state.notes.add(`${called} is left out: it is sent to ${url.server?.slice(0, 200)}; import that apart`)
    return
  }
  if (url.server === null && main !== null)
    state.notes.add(`${called} is sent to a host that is not known; it is taken for ${main.slice(0, 200)}`)
  const method = (scalarText(asked['method']) ?? 'GET').toLowerCase()
  if (state.paths.get(path, method) !== undefined) {
    state.notes.add(`${called} is left out: ${method.toUpperCase()} ${path.slice(0, 200)} was there before`)
    return
  }
  noteLeftOut(state, asked)
  if (listedHeaders(asked['header']).some((name) => name.toLowerCase() === 'authorization'))
    state.notes.add('authentication is not taken over; set a credential')
  const body = bodyOf(asked['body'])
  if (
    body === null &&
    isPlain(asked['body']) &&
    asked['body']['disabled'] !== true &&
    Object.keys(asked['body']).length > 0
  )
    state.notes.add(`the body of ${called} is left out: its mode is not known`)
  if (
    Array.isArray(item['response']) &&
    item['response'].some((one) => isPlain(one) && parsed(one['body']) === undefined)
  )
    state.notes.add('examples of answers that are not JSON are left out')
  state.paths.set(path, method, {
    summary: item['name'],
    description: textOf(asked['description'] ?? item['description']),
    tags,
    parameters: [...url.parameters, ...headersOf(asked['header'])],
    ...(body === null ? {} : { requestBody: { content: body } }),
    responses: responsesOf(item['response']),
  })
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
