/**
 * Decides whether the endpoint is assigned to the client and open to the profile. The path is also compared with the
 * routes that the rules of the profile close, as lenient servers read it: without regard to case and a final slash,
 * decoded twice, and with a query found after decoding.
 */
import type { RefusalCode } from '../../base/refusal.ts'
import { methodBit, visibleMethods } from '../../snapshot/find/methods.ts'
import { looseParts } from '../../snapshot/find/paths.ts'
import { isOpenTo } from '../../snapshot/find/people.ts'
import { allowOf } from '../../snapshot/find/routes.ts'
import type { LinkedProfile } from '../../snapshot/linked-types/client.ts'
import type { LinkedCollection } from '../../snapshot/linked-types/collection.ts'
import type { Called, Located, Routed } from '../exchange.ts'
import {
  asIs,
  byHead,
  collectionName,
  type Explain,
  NO_CALLER,
  open,
  pass,
  profileName,
  proxyName,
} from '../explain/judged.ts'

/** The client is assigned to the collection, which is shared with the person who calls, and the profile's rules leave the endpoint. */
export function endpointAssigned(exchange: Called): RefusalCode | null {
  const { collection, identity, snapshot } = exchange
  const { profile } = identity
  if (!profile.collections.has(collection.id)) return refused(exchange, 'collection_not_assigned')
  // Most are open to all callers
  const isShared = collection.fragment.teams !== undefined
  if (isShared && !isOpenTo(collection.fragment, identity.signIn, snapshot)) {
    exchange.reason = 'the collection is not shared with the user'
    return 'route_not_found'
  }
  if (profile.endpoints === null) return null
  const { proxy, others } = exchange
  if (proxy !== null) {
    const bit = methodBit(exchange.method)
    const isClosed =
      (profile.endpoints(collection, proxy) & bit) === 0 ||
      (proxy.isOpen && isWayAround(exchange as Routed, bit))
    return isClosed ? refused(exchange, 'endpoint_not_allowed') : null
  }
  for (const other of others!) if (visibleMethods(profile, collection, other) !== 0) return null
  return refused(exchange, 'endpoint_not_allowed')
}

/**
 * The path leads to a route with a parameter, and a lenient server takes it for one that the rules close: `/users/EXPORT` or
 * `/users/export/` where `/users/export` is denied.
 */
function isWayAround({ identity, collection, proxy, path }: Routed, bit: number): boolean {
  const closed = identity.profile.closedBeside!(collection, proxy)
  if (closed.length === 0) return false
  const parts = looseParts(path.slice(collection.fragment.base_path.length))
  return closed.some(({ methods, matches }) => (methods & bit) !== 0 && matches(parts))
}

/** Of a collection that hides itself, the record alone says what it was. */
function refused(exchange: Located, code: RefusalCode): RefusalCode {
  if (exchange.collection.fragment.hide_unassigned !== true) return code
  exchange.reason = `${code}, shown to the caller as route_not_found`
  return 'route_not_found'
}

/** The collection hides itself from the caller, as far as one is known. */
export function isHidden(exchange: Located): boolean {
  return hidesFrom(exchange.collection, exchange)
}

/** As {@link isHidden}, for any collection. */
export function hidesFrom(
  { id, fragment }: LinkedCollection,
  { identity: { profile, signIn }, snapshot }: Pick<Located, 'identity' | 'snapshot'>,
): boolean {
  if (profile === null) return false
  const isUnassigned = fragment.hide_unassigned === true && !profile.collections.has(id)
  return isUnassigned || !isOpenTo(fragment, signIn, snapshot)
}

export const explainAssignment: Explain<Located> = (exchange, _asked, check) => {
  const { collection, identity } = exchange
  const { client, profile } = identity
  if (client === null || profile === null) return NO_CALLER
  const name = profileName(exchange)
  const setting = !client.collections.has(collection.id)
    ? `clients/${client.fragment.slug} collections`
    : !profile.collections.has(collection.id)
      ? `${name} collections`
      : profile.endpoints === null
        ? null
        : `${name} endpoints`
  return asIs(exchange, check, () => ({
    setting,
    deciding: (code) =>
      code === 'route_not_found' ? `${setting}; ${collectionName(collection)} hide_unassigned` : setting,
  }))
}

// A WebSocket is an exchange whose response is 101: admitted, counted and recorded like any other. Its bytes are not
// read.

/** The method is in the lists of the proxy and of the profile. */
export function methodAllowed(exchange: Called): RefusalCode | null {
  const { proxy } = exchange
  const { profile } = exchange.identity
  if (proxy !== null && (proxy.methods & profile.methods & methodBit(exchange.method)) !== 0) return null
  exchange.allow = allowOf(allowedMethods(exchange, profile))
  return 'method_not_allowed'
}

/** Methods with which the profile may call the path, each at the proxy that it leads to. */
function allowedMethods({ collection, others, path }: Called, profile: LinkedProfile): number {
  const { routes, fragment } = collection
  let allowed = 0
  let taken = 0
  for (const one of others ?? routes.find(path.slice(fragment.base_path.length), 0).others!) {
    allowed |= visibleMethods(profile, collection, one) & ~taken
    taken |= one.methods
  }
  return allowed
}

/** A proxy of kind websocket is called by offering the upgrade, and in no other way. */
export function upgradeOffered({ proxy, upgrade }: Routed): RefusalCode | null {
  const { features } = proxy.fragment
  return features === null || features.websocket === undefined || upgrade ? null : 'upgrade_required'
}

export const explainMethod: Explain<Located> = (exchange, _asked, check) => {
  if (exchange.identity.profile === null) return NO_CALLER
  const { collection, proxy, others } = exchange
  const ofProfile = `${profileName(exchange)} allowed_methods`
  return asIs(exchange, check, () => ({
    setting: proxy === null ? null : `${proxyName(collection, proxy)} methods; ${ofProfile}`,
    deciding: () =>
      proxy === null ? others!.map((one) => `${proxyName(collection, one)} methods`).join('; ') : ofProfile,
  }))
}

export const explainUpgrade: Explain<Located> = (exchange, asked, check) => {
  const { collection, proxy } = exchange
  if (proxy === null) return open('depends on the route')
  const described =
    proxy.fragment.features?.websocket === undefined
      ? pass('the proxy requires no upgrade')
      : open('depends on the header Upgrade', `${proxyName(collection, proxy)} kind: websocket`)
  return byHead(exchange, asked, check, described)
}

/**
 * A declared body that is larger than the collection takes. The check stands before the limits, so that a refused
 * request consumes nothing; a chunked body is counted while it comes.
 */
export function bodyFits(exchange: Located): RefusalCode | null {
  const max = exchange.collection.fragment.body_bytes_max
  if (exchange.bodyBytes <= max) return null
  exchange.facts = { members: { max } }
  return 'body_too_large'
}

export const explainBody: Explain<Located> = (exchange, _asked, check) =>
  asIs(exchange, check, () => ({ setting: `${collectionName(exchange.collection)} max_body` }))
