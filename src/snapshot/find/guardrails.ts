import { textHash } from '../../base/json/canonical.ts'
import type { Chain, Leg, Rule } from '../../guardrails/rule.ts'
import type { GuardedRoute, LinkedCollection, LinkedProxy } from '../linked-types/collection.ts'
import type {
  GuardrailIndex,
  LinkedGuardrail,
  McpGuardrails,
  PlacedGuardrails,
} from '../linked-types/guardrail.ts'
import { mayBeReadAs, toLooseMatch, toLooseSegments } from './paths.ts'

/** Places that are kept for one set of guardrails; beyond, all are made anew. */
const PLACES_MAX = 10_000

/** The guardrails of each place, put together when it is first asked for. Null without guardrails. */
export function createGuardrailIndex(all: Iterable<LinkedGuardrail>): GuardrailIndex | null {
  const sorted = [...all].sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1))
  if (sorted.length === 0) return null
  const places = new Map<string, PlacedGuardrails | null>()
  const ofProxies = sorted.filter(({ proxies }) => proxies.size > 0)
  const routesBeside = new WeakMap<LinkedProxy, readonly GuardedRoute[]>()
  const mcpPlaces = new Map<string, McpGuardrails | null>()
  return {
    of(collection, proxy) {
      let placed = places.get(proxy)
      if (placed === undefined) {
        if (places.size >= PLACES_MAX) places.clear()
        placed = placedOf(
          sorted.filter(
            ({ everywhere, collections, proxies }) =>
              everywhere || collections.has(collection) || proxies.has(proxy),
          ),
        )
        places.set(proxy, placed)
      }
      return placed
    },
    beside(collection, proxy) {
      if (ofProxies.length === 0) return NO_ROUTES
      let routes = routesBeside.get(proxy)
      if (routes === undefined) {
        routes = besideOf(ofProxies, collection, proxy)
        routesBeside.set(proxy, routes)
      }
      return routes
    },
    ofMcp(virtualMcp, origin, isInner) {
      const place = `${virtualMcp} ${origin} ${isInner}`
      const known = mcpPlaces.get(place)
      if (known !== undefined) return known
      if (mcpPlaces.size >= PLACES_MAX) mcpPlaces.clear()
      const isNamed = ({ virtualMcps, origins }: LinkedGuardrail): boolean =>
        virtualMcps.has(virtualMcp) || origins.has(origin)
      const all = sorted.filter((one) => one.everywhere || isNamed(one))
      const made = all.length === 0 ? null : mcpGuardrailsOf(all, isInner ? all.filter(isNamed) : all)
      mcpPlaces.set(place, made)
      return made
    },
  }
}

/** @param all also look at lists, which are made nowhere else */
function mcpGuardrailsOf(
  all: readonly LinkedGuardrail[],
  ofCalls: readonly LinkedGuardrail[],
): McpGuardrails {
  return {
    request: chainOf(ofCalls, 'request'),
    response: chainOf(ofCalls, 'response'),
    list: chainOf(all, 'list'),
    fault: all.find(({ fault }) => fault !== null)?.fault ?? null,
  }
}

const NO_ROUTES: readonly GuardedRoute[] = []

function besideOf(
  ofProxies: readonly LinkedGuardrail[],
  collection: LinkedCollection,
  proxy: LinkedProxy,
): readonly GuardedRoute[] {
  const missing = ofProxies.filter(
    ({ collections, proxies }) => !collections.has(collection.id) && !proxies.has(proxy.id),
  )
  const segments = toLooseSegments(proxy.fragment.path)
  return collection.proxies
    .filter(({ id, fragment }) => {
      const isGuarded = missing.some(({ proxies }) => proxies.has(id))
      return isGuarded && mayBeReadAs(segments, toLooseSegments(fragment.path))
    })
    .map(({ methods, route, fragment }) => ({ methods, route, matches: toLooseMatch(fragment.path) }))
}

function placedOf(guardrails: readonly LinkedGuardrail[]): PlacedGuardrails | null {
  if (guardrails.length === 0) return null
  return {
    request: chainOf(guardrails, 'request'),
    response: chainOf(guardrails, 'response'),
    hash: hashOf(guardrails.filter(({ rule }) => rule !== null && acts(rule))),
    fault: guardrails.find(({ fault }) => fault !== null)?.fault ?? null,
  }
}

function hashOf(acting: readonly LinkedGuardrail[]): string {
  return acting.length === 0 ? '' : textHash(acting.map(({ hash }) => hash).join())
}

function chainOf(guardrails: readonly LinkedGuardrail[], leg: Leg): Chain | null {
  const rules = guardrails.flatMap(({ rule, legs }) => (rule !== null && legs.has(leg) ? [rule] : []))
  return rules.length === 0 ? null : rules
}

/** The rule may leave another content than it gets. */
function acts({ act, blocks, isObserved, passesFailures }: Rule): boolean {
  return act !== null || blocks || !(isObserved || passesFailures)
}
