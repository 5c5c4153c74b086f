import { mayBeReadAs, toLooseMatch, toLooseSegments } from '../find/plain-path.ts'
import type { GuardedRoute, LinkedProxy } from '../linked/collection.ts'

/**
 * Adds to each proxy the routes of the same collection that are more specific, that a lenient server may read a path of the proxy as,
 * and that have a protection of their own. Paths of such a reading are refused by the check `path readings`.
 */
export function withGuardedBeside(proxies: readonly LinkedProxy[]): readonly LinkedProxy[] {
  const all = proxies.map((proxy) => ({ proxy, segments: toLooseSegments(proxy.fragment.path) }))
  return all.map(({ proxy, segments }) => ({
    ...proxy,
    guardedBeside: proxy.isOpen
      ? all
          .filter((other) => isGuarded(other.proxy, proxy) && mayBeReadAs(segments, other.segments))
          .map((other) => toGuardedRoute(other.proxy))
      : [],
  }))
}

function toGuardedRoute({ methods, route, fragment }: LinkedProxy): GuardedRoute {
  return { methods, route, matches: toLooseMatch(fragment.path) }
}

/** The other has a credential, header, limit or check that a call of the proxy does not meet. */
function isGuarded(other: LinkedProxy, proxy: LinkedProxy): boolean {
  if (other === proxy) return false
  const { contract, features } = other.fragment
  return (
    other.credential !== proxy.credential ||
    other.headers.text !== proxy.headers.text ||
    other.headers.fault !== proxy.headers.fault ||
    (other.policy !== null && other.policy !== proxy.policy) ||
    contract?.mode === 'enforce' ||
    (features !== null && (features.graphql !== null || features.response_validation === 'enforce'))
  )
}
