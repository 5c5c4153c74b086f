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
import type { LinkedProfile } from '../linked-types/client.ts'
import type { ClosedRoute, LinkedCollection, LinkedProxy } from '../linked-types/collection.ts'
import { ALL_METHODS, methodBit, methodBits, visibleMethods } from './methods.ts'
import { mayBeReadAs, toLooseMatch, toLooseSegments } from './paths.ts'
import { asRead, type Segment, toSegments } from './segment.ts'

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

// The endpoint rules of a profile.

/** What an entry looks at. */
interface Owner {
  readonly fragment: { readonly slug: string }
}
export interface Ruled {
  readonly id: string
  readonly fragment: { readonly slug: string; readonly tags: readonly string[] }
  /** As {@link methodBits}. */
  readonly methods: number
  /** The whole path. */
  readonly route: string
}

/** One entry: which endpoints it names and with which methods. */
interface Rule {
  readonly methods: number
  names(collection: Owner, proxy: Ruled): boolean
}

/**
 * The endpoint rules of a profile. Entries name endpoints, not single calls: an id, a slug (`collection:slug` or
 * alone), `tag:<tag>`, or `METHOD /path` with the whole path, where a `{parameter}` covers any segment and a final
 * `/*` any rest. A rule for GET holds for HEAD too. Deny wins; an empty allow list allows all.
 * @returns the methods that are left of a proxy; null when there are no rules. Throws a RangeError for what is no entry.
 */
export function toEndpointRules(
  allow: readonly string[],
  deny: readonly string[],
): ((collection: LinkedCollection, proxy: LinkedProxy) => number) | null {
  if (allow.length === 0 && deny.length === 0) return null
  const allowing = allow.map(toRule)
  const denying = deny.map(toRule)
  // A linked proxy is replaced when its collection changes, so what is remembered of it can never be stale.
  const known = new WeakMap<LinkedProxy, number>()
  return (collection, proxy) => {
    let methods = known.get(proxy)
    if (methods === undefined) {
      methods = allowing.length === 0 ? ALL_METHODS : covered(allowing, collection, proxy)
      methods &= ~covered(denying, collection, proxy)
      known.set(proxy, methods)
    }
    return methods
  }
}

/**
 * The routes that the rules close at least for one method, that are more specific than a proxy, and that a lenient server may take
 * a path of the proxy for.
 */
export function toClosedBeside(
  rules: (collection: LinkedCollection, proxy: LinkedProxy) => number,
): (collection: LinkedCollection, proxy: LinkedProxy) => readonly ClosedRoute[] {
  const known = new WeakMap<LinkedProxy, readonly ClosedRoute[]>()
  return (collection, proxy) => {
    let closed = known.get(proxy)
    if (closed === undefined) {
      const segments = toLooseSegments(proxy.fragment.path)
      closed = collection.proxies
        .filter((other) => mayBeReadAs(segments, toLooseSegments(other.fragment.path)))
        .map((other) => ({
          methods: other.methods & ~rules(collection, other),
          matches: toLooseMatch(other.fragment.path),
        }))
        .filter(({ methods }) => methods !== 0)
      known.set(proxy, closed)
    }
    return closed
  }
}

/** True when an entry covers a method of the proxy. Throws a RangeError for what is no entry. */
export function toCover(entry: string): (collection: Owner, proxy: Ruled) => boolean {
  const { methods, names } = toRule(entry)
  return (collection, proxy) => (methods & proxy.methods) !== 0 && names(collection, proxy)
}

function covered(rules: readonly Rule[], collection: LinkedCollection, proxy: LinkedProxy): number {
  let methods = 0
  for (const rule of rules) if (rule.names(collection, proxy)) methods |= rule.methods
  return methods
}

function toRule(entry: string): Rule {
  if (entry.startsWith('tag:')) {
    const tag = entry.slice(4)
    return { methods: ALL_METHODS, names: (_collection, { fragment }) => fragment.tags.includes(tag) }
  }
  const space = entry.indexOf(' ')
  if (space !== -1) {
    const method = entry.slice(0, space)
    const pattern = entry.slice(space + 1)
    const bit = methodBit(method)
    if (bit === 0 || !pattern.startsWith('/')) throw new RangeError(`"${entry}" is not METHOD /path`)
    const segments = toSegments(pattern)
    return {
      methods: method === 'GET' ? methodBits(['GET']) : bit,
      names: (_collection, proxy) => covers(segments, toSegments(proxy.route)),
    }
  }
  if (entry === '' || entry.startsWith('/')) throw new RangeError(`"${entry}" names no endpoint`)
  return {
    methods: ALL_METHODS,
    names: (collection, { id, fragment }) =>
      entry === id || entry === fragment.slug || entry === `${collection.fragment.slug}:${fragment.slug}`,
  }
}

/** Every path of `pattern` is one of the rule. */
function covers(rule: readonly Segment[], pattern: readonly Segment[]): boolean {
  for (const [index, segment] of rule.entries()) {
    if (segment.kind === 'wildcard') return pattern.length > index
    const other = pattern[index]
    if (other === undefined || other.kind === 'wildcard') return false
    const isAny = segment.kind === 'pattern' && segment.shape === '{}' && other.shape !== ''
    if (!isAny && asRead(segment.shape) !== asRead(other.shape)) return false
  }
  return rule.length === pattern.length
}
