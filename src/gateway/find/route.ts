/**
 * Finds the collection and the proxy of a path. A path whose shorter reading (`snapshot/find/plain-path`) has another route
 * is refused, because the upstream may serve the other endpoint.
 */
import type { RefusalCode } from '../../base/refusal.ts'
import { isReserved } from '../../model/http-names.ts'
import { methodBit } from '../../snapshot/find/methods.ts'
import {
  hasBareParameters,
  hasParameters,
  mayBeShortened,
  plainPath,
} from '../../snapshot/find/plain-path.ts'
import { fillTarget } from '../../snapshot/find/target.ts'
import type { LinkedProxy } from '../../snapshot/linked/collection.ts'
import { canonicalTarget } from '../../wire/target.ts'
import { isHidden } from '../admit/access.ts'
import type { Exchange, Located } from '../exchange.ts'
import { answer, asIs, collectionName, type Explain, refuse } from '../explain/judged.ts'
import { passedLines } from '../fields.ts'
import { ANSWERED, type Verdict } from '../verdict.ts'
import { crossOrigin } from './cors.ts'

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
  if (proxy === null) return exchange.others === null ? 'route_not_found' : null
  if (proxy.isOpen && mayBeShortened(path) && isShortened(exchange, proxy)) {
    if (isHidden(exchange)) return null
    exchange.reason =
      'a server that drops parameters, dots or spaces of a segment reads the path of another route'
    return 'request_not_canonical'
  }
  if (proxy.target === null || isCanonical(proxy, path.slice(fragment.base_path.length))) return null
  // The check of assignments says that there is nothing
  if (isHidden(exchange)) return null
  exchange.reason = 'target_path makes a path of it that can be read in two ways'
  return 'request_not_canonical'
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
