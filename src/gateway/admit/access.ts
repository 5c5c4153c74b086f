import type { RefusalCode } from '../../base/refusal.ts'
import { ALL_METHODS, methodBit } from '../../snapshot/methods.ts'
import { looseParts } from '../../snapshot/plain-path.ts'
import { allowOf } from '../../snapshot/routes.ts'
import type { LinkedCollection, LinkedProfile, LinkedProxy } from '../../snapshot/snapshot.ts'
import type { Exchange } from '../exchange.ts'

/** Check 11. The client is assigned to the collection, and the profile's rules leave the endpoint. */
export function endpointAssigned(exchange: Exchange): RefusalCode | null {
  const profile = exchange.profile!
  const collection = exchange.collection!
  if (!profile.collections.has(collection.id)) return refused(exchange, 'collection_not_assigned')
  if (profile.endpoints === null) return null
  const { proxy, others } = exchange
  if (proxy !== null) {
    const bit = methodBit(exchange.method)
    const isClosed =
      (profile.endpoints(collection, proxy) & bit) === 0 || (proxy.isOpen && isWayAround(exchange, bit))
    return isClosed ? refused(exchange, 'endpoint_not_allowed') : null
  }
  for (const other of others!) if (visibleMethods(profile, collection, other) !== 0) return null
  return refused(exchange, 'endpoint_not_allowed')
}

/**
 * The path leads to a route with a parameter, and a lenient server takes it for one that the rules close: `/users/EXPORT` or
 * `/users/export/` where `/users/export` is denied.
 */
function isWayAround({ profile, collection, proxy, path }: Exchange, bit: number): boolean {
  const closed = profile!.closedBeside!(collection!, proxy!)
  if (closed.length === 0) return false
  const parts = looseParts(path.slice(collection!.fragment.base_path.length))
  return closed.some(({ methods, matches }) => (methods & bit) !== 0 && matches(parts))
}

/** Of a collection that hides itself, the record alone says what it was. */
function refused(exchange: Exchange, code: RefusalCode): RefusalCode {
  if (exchange.collection!.fragment.hide_unassigned !== true) return code
  exchange.reason = `${code}, which is hidden`
  return 'route_not_found'
}

/** The collection hides itself from the caller, as far as one is known. */
export function isHidden({ collection, profile }: Exchange): boolean {
  return (
    collection!.fragment.hide_unassigned === true &&
    profile !== null &&
    !profile.collections.has(collection!.id)
  )
}

/** Check 12. The method is in the lists of the proxy and of the profile. */
export function methodAllowed(exchange: Exchange): RefusalCode | null {
  const { proxy } = exchange
  const profile = exchange.profile!
  if (proxy !== null && (proxy.methods & profile.methods & methodBit(exchange.method)) !== 0) return null
  exchange.allow = allowOf(allowedMethods(exchange, profile))
  return 'method_not_allowed'
}

/** Methods with which the profile may call the path, each at the proxy that it leads to. */
function allowedMethods({ collection, others, path }: Exchange, profile: LinkedProfile): number {
  const { routes, fragment } = collection!
  let allowed = 0
  let taken = 0
  for (const one of others ?? routes.find(path.slice(fragment.base_path.length), 0).others!) {
    allowed |= visibleMethods(profile, collection!, one) & ~taken
    taken |= one.methods
  }
  return allowed
}

/** Also check 12. A proxy of kind websocket is called by offering the upgrade, and in no other way. */
export function upgradeOffered(exchange: Exchange): RefusalCode | null {
  const { shape } = exchange.proxy!.fragment
  return shape === null || shape.websocket === undefined || exchange.upgrade ? null : 'upgrade_required'
}

/** Methods of a proxy that a profile may use: what checks 11 and 12 let through. 0 hides the endpoint. */
export function visibleMethods(
  profile: LinkedProfile,
  collection: LinkedCollection,
  proxy: LinkedProxy,
): number {
  const ruled = profile.endpoints === null ? ALL_METHODS : profile.endpoints(collection, proxy)
  return proxy.methods & profile.methods & ruled
}
