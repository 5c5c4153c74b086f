import { isPlain, type Plain, pointerTo } from '../../base/json/storable.ts'
import { withoutEndSlashes } from '../../base/text/url.ts'
import { UpstreamUrl } from '../../model/api/upstream.ts'
import type { HttpMethod } from '../../model/members.ts'
import { broken } from '../text/plain-data.ts'
import {
  ambiguousParameter,
  matrixPrefixes,
  type ParameterList,
  type ReadPath,
  toPattern,
} from './parameters.ts'
import { resolve } from './resolve.ts'
import type { Warn } from './warnings.ts'

const METHODS = new Map<string, HttpMethod | null>([
  ['get', 'GET'],
  ['put', 'PUT'],
  ['post', 'POST'],
  ['delete', 'DELETE'],
  ['options', 'OPTIONS'],
  ['head', 'HEAD'],
  ['patch', 'PATCH'],
  ['trace', null], // The gateway never forwards TRACE (RFC 9110 section 9.3.8).
])

/** Members of a path item that are no operations. */
const NO_OPERATIONS = new Set([
  '$ref',
  'summary',
  'description',
  'servers',
  'parameters',
  'additionalOperations',
])

/** Proxies in one collection; the largest public descriptions have a few thousand operations. */
const ENDPOINTS_MAX = 20_000

/** One operation of the description with all that its path item gives it. */
export interface DescribedEndpoint {
  readonly method: HttpMethod
  readonly path: ReadPath
  readonly operation: Plain
  readonly pointer: string
  /** Texts of the path item, for operations without their own. */
  readonly item: Plain
  readonly parameters: readonly ParameterList[]
  /** The server of the operation or path item where it has one of its own. */
  readonly server: Server | undefined
  /** Further operations with the same method and path, but for the names of its parameters. */
  readonly twins: readonly Pick<DescribedEndpoint, 'path' | 'operation' | 'pointer' | 'parameters'>[]
}

/** As it is in a path item. */
type ReadEndpoint = Omit<DescribedEndpoint, 'path' | 'twins'>

/**
 * The operations that can become proxies, in the order of the document. Of several for one route the first is kept, with the
 * others as its twins.
 */
export function listEndpoints(document: Plain, warn: Warn): DescribedEndpoint[] {
  const paths = document['paths']
  if (!isPlain(paths)) throw broken('/paths', 'a map of paths')
  const endpoints: DescribedEndpoint[] = []
  const routes = new Map<
    string,
    { readonly pointer: string; readonly path: ReadPath; readonly twins: Twin[] }
  >()
  for (const [text, value] of Object.entries(paths)) {
    if (text.startsWith('x-')) continue
    const pointer = pointerTo('/paths', text)
    const plain = toPattern(text, pointer)
    for (const endpoint of readItem(document, value, pointer, warn)) {
      const prefixes = 'unusable' in plain ? [] : matrixPrefixes(document, endpoint.parameters)
      const path = prefixes.length === 0 ? plain : toPattern(text, pointer, new Map(prefixes))
      if ('unusable' in path) {
        warn(endpoint.pointer, `left out, no request can match its path: ${path.unusable}`)
        continue
      }
      const ambiguous = ambiguousParameter(document, endpoint.parameters, path)
      if (ambiguous !== null) {
        warn(
          endpoint.pointer,
          `left out, {${ambiguous.slice(0, 80)}} occurs twice in its path, with two descriptions`,
        )
        continue
      }
      const route = `${endpoint.method} ${path.shape}`
      const first = routes.get(route)
      if (first !== undefined) {
        warn(
          endpoint.pointer,
          `left out, it is the same route as ${first.pointer}; requests must meet both contracts`,
        )
        first.twins.push({ ...endpoint, path: withNamesOf(first.path, path) })
        continue
      }
      const twins: Twin[] = []
      routes.set(route, { pointer: endpoint.pointer, path, twins })
      if (routes.size > ENDPOINTS_MAX) throw broken('/paths', `more than ${ENDPOINTS_MAX} operations`)
      for (const note of path.notes) warn(pointer, note)
      endpoints.push({ ...endpoint, path, twins })
    }
  }
  return endpoints
}

type Twin = DescribedEndpoint['twins'][number]

/** A path of the same shape, whose parameters are called as those of the other in our pattern. */
function withNamesOf(first: ReadPath, path: ReadPath): ReadPath {
  const slots = path.slots.map(({ name }, index) => ({ name, ours: first.slots[index]?.ours ?? null }))
  return { ...path, slots }
}

function notForwarded(method: string): string {
  return `left out, the gateway does not forward the method ${method.slice(0, 40)}`
}

function readItem(document: Plain, value: unknown, place: string, warn: Warn): ReadEndpoint[] {
  const found = resolve(document, value, place, 'a path item')
  // Members beside the reference of a path item add to what it refers to.
  const own = isPlain(value) && found.value !== value ? value : {}
  const item = { ...found.value, ...own }
  const pointerOf = (member: string): string =>
    pointerTo(Object.hasOwn(own, member) ? place : found.pointer, member)
  const shared: ParameterList = { value: item['parameters'], pointer: pointerOf('parameters') }
  const itemServer = firstServer(item, found.pointer, warn)

  const endpoints: ReadEndpoint[] = []
  for (const [member, operation] of Object.entries(item)) {
    const pointer = pointerOf(member)
    const method = METHODS.get(member)
    if (method === undefined) {
      const named = isPlain(operation) && member === 'additionalOperations' ? Object.keys(operation) : []
      for (const name of named) warn(pointerTo(pointer, name), notForwarded(name))
      if (METHODS.has(member.toLowerCase())) warn(pointer, 'left out, methods are written in lower case')
      else if (isPlain(operation) && !NO_OPERATIONS.has(member) && !member.startsWith('x-'))
        warn(pointer, notForwarded(member.toUpperCase()))
      continue
    }
    if (!isPlain(operation)) throw broken(pointer, 'an operation must be an object')
    if (method === null) {
      warn(pointer, notForwarded('TRACE'))
      continue
    }
    endpoints.push({
      method,
      operation,
      pointer,
      item,
      parameters: [shared, { value: operation['parameters'], pointer: pointerTo(pointer, 'parameters') }],
      server: firstServer(operation, pointer, warn) ?? itemServer,
    })
  }
  return endpoints
}

/** Where an operation is served: origin such as `https://api.example.com`, null when relative; path without a trailing slash. */
export interface Server {
  readonly origin: string | null
  readonly path: string
  readonly pointer: string
}

/** Any absolute base, to read relative server URLs against. */
const NOWHERE = 'http://relative.invalid'

/**
 * The first server of a document, path item or operation, or undefined when it names none. Variables take their
 * defaults. A URL that cannot be used counts as relative and is reported.
 */
export function firstServer(owner: Plain, pointer: string, warn: Warn): Server | undefined {
  const list = owner['servers']
  if (list === undefined || list === null) return undefined
  const place = pointerTo(pointer, 'servers')
  if (!Array.isArray(list)) throw broken(place, 'a list of servers')
  if (list.length === 0) return undefined
  const server: unknown = list[0]
  const first = pointerTo(place, 0)
  if (!isPlain(server)) throw broken(first, 'a server must be an object')
  const url = server['url']
  if (typeof url !== 'string') throw broken(pointerTo(first, 'url'), 'a server must have a url')
  return serverOf(withDefaults(url, server['variables'], first, warn), pointerTo(first, 'url'), warn)
}

function withDefaults(url: string, variables: unknown, pointer: string, warn: Warn): string {
  return url.replace(/\{([^{}]*)\}/g, (text, name: string) => {
    const variable = isPlain(variables) && Object.hasOwn(variables, name) ? variables[name] : undefined
    const value = isPlain(variable) ? variable['default'] : undefined
    if (typeof value === 'string' || typeof value === 'number') return String(value)
    warn(pointerTo(pointer, 'url'), `variable ${text.slice(0, 80)} has no default`)
    return ''
  })
}

function serverOf(text: string, pointer: string, warn: Warn): Server {
  // A scheme-relative URL (`//host/v1`) leaves the scheme to whoever served the document: that is relative too.
  const absolute = /^[a-z][a-z0-9+.-]*:/i.test(text)
  if (!URL.canParse(text.trim(), NOWHERE)) {
    warn(pointer, 'not a URL; give the upstream yourself')
    return { origin: null, path: '', pointer }
  }
  const url = new URL(text.trim(), NOWHERE)
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '')
    warn(pointer, 'query, fragment and user information of the server URL are left out')
  const path = withoutEndSlashes(url.pathname)
  if (!absolute) return { origin: null, path, pointer }
  const origin = `${url.protocol}//${url.host}`
  if (UpstreamUrl.safeParse(origin).success) return { origin, path, pointer }
  warn(pointer, 'not an http:// or https:// URL; give the upstream yourself')
  return { origin: null, path: '', pointer }
}

/**
 * The longest path, in whole segments, that all server paths start with. It goes into the upstream; what an
 * operation's server has beyond it goes into the target path of its proxies.
 */
export function commonPath(paths: readonly string[]): string {
  let common: string[] | undefined
  for (const path of new Set(paths)) {
    const segments = path.split('/').slice(1)
    common ??= segments
    let same = 0
    while (same < common.length && common[same] === segments[same]) same++
    common = common.slice(0, same)
  }
  return common === undefined || common.length === 0 ? '' : `/${common.join('/')}`
}
