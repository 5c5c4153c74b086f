import { mayBeReadAs, toLooseMatch, toLooseSegments } from '../find/plain-path.ts'
import type { GuardedRoute, LinkedProxy } from '../linked/collection.ts'

/**
 * Adds to each proxy the routes of the same collection that are more specific, that a lenient server may read a path of the proxy as,
 * and that have a protection of their own. Paths of such a reading are refused by the check `path readings`.
 */
export function withGuardedBeside(proxies: readonly LinkedProxy[]): readonly LinkedProxy[] {
  const all = proxies.map((proxy, at) => ({ at, proxy, segments: toLooseSegments(proxy.fragment.path) }))
  const groups = groupsOf(all)
  // Of thousands of proxies that are protected alike, none is compared with the others
  const guardedFrom = (proxy: LinkedProxy): readonly Placed[] =>
    groups
      .flatMap((group) => (differs(group.members[0]!.proxy, proxy) ? group.members : group.checked))
      .filter((other) => other.proxy !== proxy)
  return all.map(({ proxy, segments }) => ({
    ...proxy,
    guardedBeside: proxy.isOpen
      ? guardedFrom(proxy)
          .filter((other) => mayBeReadAs(segments, other.segments))
          .sort((one, other) => one.at - other.at)
          .map((other) => toGuardedRoute(other.proxy))
      : [],
  }))
}

interface Placed {
  readonly at: number
  readonly proxy: LinkedProxy
  readonly segments: ReturnType<typeof toLooseSegments>
}

/** Proxies that are protected alike, and those of them with checks of their own. */
interface Group {
  readonly members: Placed[]
  readonly checked: Placed[]
}

function groupsOf(all: readonly Placed[]): readonly Group[] {
  const groups: Group[] = []
  const known = new Map<unknown, Group[]>()
  for (const one of all) {
    const alike = known.get(one.proxy.credential) ?? []
    let group = alike.find(({ members: [first] }) => isAlike(first!.proxy, one.proxy))
    if (group === undefined) {
      group = { members: [], checked: [] }
      groups.push(group)
      known.set(one.proxy.credential, [...alike, group])
    }
    group.members.push(one)
    if (isChecked(one.proxy)) group.checked.push(one)
  }
  return groups
}

function toGuardedRoute({ methods, route, fragment }: LinkedProxy): GuardedRoute {
  return { methods, route, matches: toLooseMatch(fragment.path) }
}

/** The other has a credential, header or limit that a call of the proxy does not meet. */
function differs(other: LinkedProxy, proxy: LinkedProxy): boolean {
  return (
    other.credential !== proxy.credential ||
    other.headers.text !== proxy.headers.text ||
    other.headers.fault !== proxy.headers.fault ||
    (other.policy !== null && other.policy !== proxy.policy)
  )
}

/** All others differ from both, or from neither. */
function isAlike(one: LinkedProxy, other: LinkedProxy): boolean {
  return !differs(one, other) && one.policy === other.policy
}

/** A call of any other proxy does not meet its checks. */
function isChecked({ fragment: { contract, features } }: LinkedProxy): boolean {
  return (
    contract?.mode === 'enforce' ||
    (features !== null && (features.graphql !== null || features.response_validation === 'enforce'))
  )
}
