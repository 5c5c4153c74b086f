/**
 * The endpoints behind an origin of kind `collection`, and which of them a caller reaches: those that the checks `assignment`
 * and `method` would admit. A virtual MCP gives no right to a collection, so an endpoint that its caller may not call is
 * hidden.
 *
 * The collection and the profile in force decide what a caller reaches, not those at the time of linking.
 */
import { textHash } from '../../base/json/canonical.ts'
import {
  CAPABILITY_TYPES,
  type CapabilityType,
  type OfferedEndpoint,
  type OfferedEndpoints,
} from '../../model/mcp/capability.ts'
import type { LinkedProfile } from '../linked/client.ts'
import type { LinkedCollection, LinkedProxy } from '../linked/collection.ts'
import { methodBit } from './methods.ts'
import { visibleMethods } from './visible-methods.ts'

/** What the checks of a caller look at. */
export interface CallerAccess {
  readonly profile: LinkedProfile
  readonly collections: ReadonlyMap<string, LinkedCollection>
}

/** The items of a member that a caller reaches. */
export interface Reach {
  /** Equal for equal sets of items. */
  readonly id: string
  has(type: CapabilityType, key: string): boolean
}

/** An endpoint as a call of it needs it. */
export interface LocatedEndpoint extends OfferedEndpoint {
  readonly collection: LinkedCollection
  readonly route: LinkedProxy
}

export interface EndpointIndex {
  reach(access: CallerAccess | null): Reach
  /** Null for an item without an endpoint, and where the collection has it no more. */
  locate(access: CallerAccess | null, type: CapabilityType, key: string): LocatedEndpoint | null
}

const NOTHING: Reach = { id: '', has: () => false }

/** @param id Of the collection. */
export function indexEndpoints(id: string, offered: OfferedEndpoints): EndpointIndex {
  const items = CAPABILITY_TYPES.flatMap((type) =>
    Object.entries(offered[type]).map(([key, endpoint]) => ({ name: `${type} ${key}`, endpoint })),
  )
  const byName = new Map(items.map(({ name, endpoint }) => [name, endpoint]))
  // By profile, since a thread serves many; a profile or collection that changes is linked anew
  const known = new WeakMap<LinkedProfile, { readonly of: LinkedCollection; readonly reach: Reach }>()
  const routes = new WeakMap<LinkedCollection, ReadonlyMap<string, LinkedProxy>>()

  function routesOf(collection: LinkedCollection): ReadonlyMap<string, LinkedProxy> {
    let found = routes.get(collection)
    if (found === undefined) {
      found = new Map(collection.proxies.map((proxy) => [proxy.id, proxy]))
      routes.set(collection, found)
    }
    return found
  }

  function reachOf(profile: LinkedProfile, collection: LinkedCollection): Reach {
    if (!profile.collections.has(id)) return NOTHING
    const proxies = routesOf(collection)
    const reached = items.flatMap(({ name, endpoint: { proxy, method } }) => {
      const route = proxies.get(proxy)
      const isOpen =
        route !== undefined && (visibleMethods(profile, collection, route) & methodBit(method)) !== 0
      return isOpen ? [name] : []
    })
    const names = new Set(reached)
    return { id: textHash(reached.join('\n')), has: (type, key) => names.has(`${type} ${key}`) }
  }

  return {
    reach(access) {
      const collection = access?.collections.get(id)
      if (access == null || collection === undefined || collection.fault !== null) return NOTHING
      const before = known.get(access.profile)
      if (before?.of === collection) return before.reach
      const reach = reachOf(access.profile, collection)
      known.set(access.profile, { of: collection, reach })
      return reach
    },
    locate(access, type, key) {
      const endpoint = byName.get(`${type} ${key}`)
      const collection = access?.collections.get(id)
      if (endpoint === undefined || collection === undefined) return null
      const route = routesOf(collection).get(endpoint.proxy)
      return route === undefined ? null : { ...endpoint, collection, route }
    },
  }
}
