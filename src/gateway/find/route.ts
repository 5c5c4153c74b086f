/**
 * Finds the collection and the proxy of a path. A path whose shorter reading (`snapshot/find/paths`) has another route
 * is refused, because the upstream may serve the other endpoint.
 */
import type { RefusalCode } from '../../base/refusal.ts'
import { distance } from '../../base/text/distance.ts'
import { isReserved } from '../../model/http-names.ts'
import { methodBit, visibleMethods } from '../../snapshot/find/methods.ts'
import {
  hasBareParameters,
  hasParameters,
  looseParts,
  mayBeShortened,
  plainPath,
} from '../../snapshot/find/paths.ts'
import { isOpenTo } from '../../snapshot/find/people.ts'
import { fillTarget } from '../../snapshot/find/target.ts'
import type {
  GuardedRoute,
  LinkedCollection,
  LinkedCors,
  LinkedProxy,
} from '../../snapshot/linked-types/collection.ts'
import { canonicalTarget } from '../../wire/target.ts'
import { hidesFrom, isHidden } from '../admit/access.ts'
import type { Called, Exchange, Located } from '../exchange.ts'
import { answer, asIs, collectionName, type Explain, NO_CALLER, refuse } from '../explain/judged.ts'
import { fieldValue, passedLines } from '../request-headers.ts'
import { ANSWERED, type Verdict } from '../verdict.ts'

/** Finds collection and proxy, and answers preflights of browsers; that there is no proxy is held back until the caller is known. */
export function findRoute(exchange: Exchange): Verdict {
  const { path } = exchange
  const collection = exchange.snapshot.mounts.find(path, exchange.host)
  if (collection === null) return 'route_not_found'
  exchange.collection = collection
  if (collection.passed !== null && exchange.withheld !== '')
    exchange.pass += passedLines(exchange.withheld, collection.passed)
  if (collection.cors !== null && crossOrigin(exchange, collection.cors)) return ANSWERED
  const below = path.slice(collection.fragment.base_path.length)
  const found = collection.routes.find(below, methodBit(exchange.method))
  exchange.proxy = found.proxy
  exchange.others = found.others
  return null
}

/** What `route` held back, and whether the path that the proxy makes of this one can be read in one way only. */
export function heldBackRoute(exchange: Located): RefusalCode | null {
  const { collection, proxy, path } = exchange
  const { fault, fragment } = collection
  if (fault !== null && !isHidden(exchange)) {
    exchange.reason = fault
    return 'route_unavailable'
  }
  if (proxy === null) {
    if (exchange.others !== null) return null
    const nearest = nearestPath(exchange)
    if (nearest !== null) exchange.facts = { detail: `No endpoint has this path. Did you mean ${nearest}?` }
    return 'route_not_found'
  }
  if (proxy.isOpen && mayBeShortened(path) && isShortened(exchange, proxy)) {
    if (isHidden(exchange)) return null
    exchange.reason =
      'a server that drops parameters, dots or spaces of a segment would read the path as that of another route'
    return 'request_not_canonical'
  }
  if (proxy.target === null || isCanonical(proxy, path.slice(fragment.base_path.length))) return null
  // The check of assignments says that there is nothing
  if (isHidden(exchange)) return null
  exchange.reason = 'the upstream path from target_path is ambiguous'
  return 'request_not_canonical'
}

/** Endpoints of a collection that a path is compared with, and the characters of each. */
const COMPARED_MAX = 50
const COMPARED_CHARS_MAX = 64
/** More characters that differ are another path. */
const WRONG_CHARS_MAX = 2

/** The endpoint that was probably meant by a path that has none, of those that the caller may call; null where none is near. */
function nearestPath({ collection, identity, path, snapshot }: Located): string | null {
  const { profile, signIn } = identity
  const { fragment, proxies } = collection
  if (profile === null || !profile.collections.has(collection.id) || !isOpenTo(fragment, signIn, snapshot))
    return null
  const below = path.slice(fragment.base_path.length).replace(/\/$/, '')
  let nearest: LinkedProxy | null = null
  let least = WRONG_CHARS_MAX + 1
  for (const proxy of proxies.slice(0, COMPARED_MAX)) {
    if (visibleMethods(profile, collection, proxy) === 0) continue
    const wrong = wrongChars(below, path, proxy.fragment.path)
    if (wrong >= least) continue
    nearest = proxy
    least = wrong
  }
  return nearest === null ? null : fragment.base_path + nearest.fragment.path
}

/** How far a path below its base is from the path of an endpoint. */
function wrongChars(below: string, path: string, pattern: string): number {
  // The base path alone, or without a part that the endpoint repeats or begins with: `/books` for `/books/books`
  if (below === '' || pattern === path || pattern.endsWith(below)) return 0
  if (pattern.length > COMPARED_CHARS_MAX || below.length > COMPARED_CHARS_MAX) return Infinity
  const [given, named] = [below.split('/'), pattern.split('/')]
  if (given.length !== named.length) return Infinity
  const filled = named.map((part, at) => (part.includes('{') ? given[at] : part)).join('/')
  return distance(filled.toLowerCase(), below.toLowerCase())
}

/**
 * Whether a server may read the path as one of another route, whose rules, policy and credential would be passed by. What is
 * nobody's route counts too where the path has parameters: `/secret;.json` is no way through `{id}.json`.
 */
function isShortened({ snapshot, collection, path, host, method }: Located, proxy: LinkedProxy): boolean {
  const { base_path } = collection.fragment
  const below = path.slice(base_path.length)
  const { path: pattern } = proxy.fragment
  if (hasBareParameters(below, pattern)) return true
  const plain = plainPath(below, pattern)
  if (snapshot.mounts.find(base_path + plain, host) !== collection) return true
  const found = collection.routes.find(plain, methodBit(method))
  if (found.proxy !== null) return found.proxy !== proxy
  return found.others !== null || hasParameters(below, pattern)
}

/** A parameter that takes a part of a segment may be dots alone or begin with `;`: in another place they mean something else. */
function isCanonical({ target, fragment }: LinkedProxy, below: string): boolean {
  if (target === null || !target.isPartial) return true
  const path = fillTarget(target, below)
  return canonicalTarget(path)?.path === path && !hasBareParameters(path, fragment.target_path)
}

export const explainRoute: Explain = (exchange, _asked, check) => {
  if (isReserved(exchange.path))
    return refuse('route_not_found', 'the path is reserved for the gateway itself', null)
  const judged = asIs(exchange, check)
  const { collection } = exchange
  if (collection === null) return judged
  const { base_path, slug } = collection.fragment
  if (judged.result === 'answer') return answer(judged.reason, `${collectionName(collection)} cors`)
  return { ...judged, reason: `base path ${base_path} of collection ${slug}` }
}

export const explainHeldBackRoute: Explain = (exchange, _asked, check) => {
  const { proxy } = exchange
  const reason = proxy === null ? 'a route has the path, but not the method' : `route ${proxy.route}`
  return asIs(exchange, check, () => ({ reason }))
}

/** What an answer depends on that differs by origin. */
const VARY = 'Vary: Origin\r\n'
const VARY_PREFLIGHT =
  'Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\nCache-Control: no-store\r\n'

/** Origins worth comparing; anything else is never echoed. */
const ORIGIN = /^https?:\/\/[a-z0-9.:[\]-]{1,255}$/

/**
 * The CORS protocol (Fetch 3.2) for a collection that takes part in it. True when the request was a preflight, which is
 * answered here: browsers send it without credentials, so it says nothing but what the collection allows every
 * page, and not even whether the path exists.
 */
function crossOrigin(exchange: Exchange, cors: LinkedCors): boolean {
  // An agent's calls have no page behind them.
  if (exchange.surface !== 0) return false
  const origin = fieldValue(exchange.pass, 'origin')
  const allowed = origin === undefined ? '' : allowedOrigin(cors, origin)
  const line = allowed === '' ? '' : `Access-Control-Allow-Origin: ${allowed}\r\n`
  const isPreflight =
    origin !== undefined &&
    exchange.method === 'OPTIONS' &&
    fieldValue(exchange.pass, 'access-control-request-method') !== undefined
  if (isPreflight) {
    if (line === '') exchange.reason = 'the origin is not allowed'
    exchange.reply = {
      status: 204,
      fields: VARY_PREFLIGHT + (line === '' ? '' : line + cors.preflight),
      body: '',
    }
    return true
  }
  exchange.corsLines = (cors.any ? '' : VARY) + (line === '' ? '' : line + cors.lines)
  return false
}

/** What to say in Access-Control-Allow-Origin; empty when the origin may not call. */
function allowedOrigin(cors: LinkedCors, origin: string): string {
  if (cors.any) return '*'
  if (!ORIGIN.test(origin)) return ''
  if (cors.origins.has(origin)) return origin
  for (const [scheme, end] of cors.below)
    if (origin.startsWith(scheme) && origin.endsWith(end) && origin.length > scheme.length + end.length)
      return origin
  return ''
}

// Refuses paths that a lenient server could read as an endpoint that is protected differently: a more specific route
// whose credential, headers, policy or checks differ (`snapshot/link/collection`, computed when the collection is
// linked) or whose guardrails do, or a route of a collection with a deeper base path. `admit/access.ts` does the same for the routes that the
// rules of the profile close.

const FACTS = {
  detail:
    'A server that ignores case, a final slash or an additional encoding reads this path as the path of another endpoint, which is protected differently. Use the exact path of that endpoint. If this path is correct, ask the operator to publish it as an endpoint of its own.',
}

/**
 * No lenient server reads the path as one of a more specific route whose credential, headers, policy or request
 * checks differ, or of a collection below this one: `/users/EXPORT` where `/users/export` has a policy of its own.
 */
export function readsInOneWay(exchange: Called): RefusalCode | null {
  const { snapshot, collection, path, host } = exchange
  // The check `method` refuses a request without a proxy
  const { proxy } = exchange
  if (proxy === null || !proxy.isOpen) return null
  const deeper = snapshot.mounts.readDeeper(collection, path, host)
  if (deeper !== null) return ofDeeper(exchange, deeper)
  const beside = snapshot.guards?.beside(collection, proxy) ?? NO_ROUTES
  if (proxy.guardedBeside.length === 0 && beside.length === 0) return null
  const bit = methodBit(exchange.method)
  const parts = looseParts(path.slice(collection.fragment.base_path.length))
  const isRead = ({ methods, matches }: GuardedRoute): boolean => (methods & bit) !== 0 && matches(parts)
  const protectedRoute = proxy.guardedBeside.find(isRead)
  if (protectedRoute !== undefined)
    return refused(
      exchange,
      `of ${protectedRoute.route}, whose credential, headers, policy or request checks differ`,
    )
  const guarded = beside.find(isRead)
  return guarded === undefined ? null : refused(exchange, `of ${guarded.route}, whose guardrails differ`)
}

const NO_ROUTES: readonly GuardedRoute[] = []

/** A collection that hides itself from the caller is not told of. */
function ofDeeper(exchange: Called, collection: LinkedCollection): RefusalCode {
  const code = refused(exchange, `of the collection at ${collection.fragment.base_path}`)
  if (!hidesFrom(collection, exchange)) return code
  exchange.facts = {}
  return 'route_not_found'
}

function refused(exchange: Called, whose: string): RefusalCode {
  exchange.reason = `a server that ignores case, a final slash or an additional encoding reads the path as one ${whose}`
  exchange.facts = FACTS
  return 'request_not_canonical'
}

export const explainReadings: Explain = (exchange, _asked, check) =>
  exchange.identity.profile === null ? NO_CALLER : asIs(exchange, check)
