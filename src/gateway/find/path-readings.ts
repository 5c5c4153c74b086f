/**
 * Refuses paths that a lenient server could read as an endpoint that is protected differently: a more specific route
 * whose credential, headers, policy or checks differ (`snapshot/link/guarded-routes`, computed when the collection is
 * linked) or whose guardrails do, or a route of a collection with a deeper base path. `admit/access.ts` does the same for the routes that the
 * rules of the profile close.
 */
import type { RefusalCode } from '../../base/refusal.ts'
import { methodBit } from '../../snapshot/find/methods.ts'
import { looseParts } from '../../snapshot/find/plain-path.ts'
import type { GuardedRoute, LinkedCollection } from '../../snapshot/linked/collection.ts'
import { hidesFrom } from '../admit/access.ts'
import type { Called } from '../exchange.ts'
import { asIs, type Explain, NO_CALLER } from '../explain/judged.ts'

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
