import { HTTP_METHODS, isNeverPassed, twinOf } from '../../model/http-names.ts'
import type { Opener } from '../../vault/vault.ts'
import { limitKeyOf } from '../find/limit-key.ts'
import { methodBit, methodBits } from '../find/methods.ts'
import { mayBeReadAs, toLooseMatch, toLooseSegments } from '../find/paths.ts'
import { withSharedPaths } from '../find/precedence.ts'
import { toRoutes } from '../find/routes.ts'
import { toSegments } from '../find/segment.ts'
import { toParameters, toTarget } from '../find/target.ts'
import type { CollectionFragment, CorsFragment, HeaderFragment, ProxyFragment } from '../fragments.ts'
import type {
  GuardedRoute,
  Injection,
  LinkedCollection,
  LinkedCors,
  LinkedKeyPlaces,
  LinkedProxy,
  LinkedUpstream,
  NameSet,
  NodeServers,
} from '../linked-types/collection.ts'
import { lineOf, partsOfPlace, placeOf } from './headers.ts'
import { linkNodeServers } from './own-route.ts'
import { linkUpstream, withTimeouts } from './upstream.ts'

/**
 * Links a collection. Throws a RangeError that names what is wrong.
 * @param before the one of that id so far.
 * @param open opens the secrets of headers; what it throws for closes the calls that need them.
 */
export function linkCollection(
  fragment: CollectionFragment,
  before: LinkedCollection | null = null,
  open: Opener = opensNothing,
): LinkedCollection {
  const upstream =
    fragment.upstream === null ? null : linkUpstream(fragment.upstream, before?.upstream ?? null)
  const mine = toHeaders(fragment, fragment.id, fragment.headers, open)
  const passed = passedOf(fragment)
  const serversOf = createServersOf(before)
  const alone = fragment.proxies
    .map((proxy) => linkProxy(fragment, upstream, proxy, mine, passed, open, serversOf(proxy)))
    .sort(byPath)
  const proxies = withSharedPaths(withGuardedBeside(alone))
  const closed = proxies.find(({ headers }) => headers.fault !== null)
  return {
    kind: 'collection',
    id: fragment.id,
    fragment,
    routes: toRoutes(proxies),
    proxies,
    upstream,
    passed: passed.size === 0 ? null : passed,
    cors: fragment.cors === null ? null : linkCors(fragment.cors),
    keyPlaces: linkKeyPlaces(fragment),
    fault: null,
    unresolved:
      closed === undefined
        ? null
        : `headers of ${fragment.slug}:${closed.fragment.slug} cannot be sent: ${closed.headers.fault}`,
    key: limitKeyOf(`collection:${fragment.id}`),
    attachment: 'collection',
  }
}

/** A collection that cannot be linked keeps its base path and refuses every call, so that no shorter one takes over. */
export function closedCollection(fragment: CollectionFragment, fault: string): LinkedCollection {
  const none = toRoutes([])
  const key = limitKeyOf(`collection:${fragment.id}`)
  return {
    kind: 'collection',
    id: fragment.id,
    fragment,
    routes: none,
    proxies: [],
    upstream: null,
    passed: null,
    cors: null,
    keyPlaces: linkKeyPlaces(fragment),
    fault,
    unresolved: null,
    key,
    attachment: 'collection',
  }
}

function linkProxy(
  collection: CollectionFragment,
  upstream: LinkedUpstream | null,
  proxy: ProxyFragment,
  outer: readonly Header[],
  passed: ReadonlySet<string>,
  open: Opener,
  servers: NodeServers | null,
): LinkedProxy {
  let named = 0
  for (const method of proxy.methods) named |= methodBit(method)
  const credential =
    proxy.credential === 'inherit'
      ? collection.credential
      : proxy.credential === 'none'
        ? null
        : proxy.credential
  const linked: LinkedProxy = {
    fragment: proxy,
    id: proxy.id,
    route: collection.base_path + (proxy.path === '/' ? '' : proxy.path),
    named,
    methods: methodBits(proxy.methods),
    isOpen: toSegments(proxy.path).some(({ kind }) => kind !== 'literal'),
    guardedBeside: [],
    sharing: [],
    target: toTarget(proxy.path, proxy.target_path),
    headers: toInjection(outer, toHeaders(collection, proxy.id, proxy.headers, open), passed),
    direct: null,
    servers,
    credential,
    policy: proxy.policy,
    upstream:
      upstream === null || proxy.timeouts === undefined ? null : withTimeouts(upstream, proxy.timeouts),
    parameters: proxy.contract === null ? null : toParameters(proxy.path, proxy.target_path),
    key: limitKeyOf(`proxy:${proxy.id}`),
    attachment: 'proxy',
  }
  if (proxy.workflow === undefined) return linked
  const { workflow: _, ...bare } = proxy
  return { ...linked, direct: { ...linked, fragment: { ...bare, features: null } } }
}

/** @param before the collection so far */
function createServersOf(before: LinkedCollection | null) {
  const known = new Map(
    before?.proxies.flatMap(({ id, servers }) => (servers === null ? [] : [[id, servers]])),
  )
  return ({ id, workflow }: ProxyFragment): NodeServers | null => {
    if (workflow === undefined || typeof workflow === 'string') return null
    const servers = linkNodeServers(workflow, id, known.get(id))
    return servers.size === 0 ? null : servers
  }
}

/** A line to set. The name is lower-case. */
interface Header {
  readonly name: string
  readonly line: string
  readonly fault: string | null
}

function opensNothing(): never {
  throw new Error('there is no key')
}

function toHeaders(
  collection: CollectionFragment,
  owner: string,
  headers: readonly HeaderFragment[],
  open: Opener,
): readonly Header[] {
  return headers.map(({ name, value }) =>
    value === null
      ? secretHeader(collection, placeOf(owner, name), name, open)
      : { name: name.toLowerCase(), line: lineOf(name, value), fault: null },
  )
}

function secretHeader(
  { sealed, unresolved }: CollectionFragment,
  place: string,
  name: string,
  open: Opener,
): Header {
  const closed = (why: string): Header => ({
    name: name.toLowerCase(),
    line: '',
    fault: `header ${name}: ${why}`,
  })
  const fault = unresolved?.[place]
  if (fault !== undefined) return closed(fault)
  const text = sealed?.[place]
  if (text === undefined) return closed('the secret is not set')
  try {
    const line = lineOf(name, open(text, ...partsOfPlace(place)).reveal())
    return { name: name.toLowerCase(), line, fault: null }
  } catch (error) {
    return closed(error instanceof RangeError ? error.message : 'the secret cannot be opened')
  }
}

/** Lines of both lists; a name that the proxy sets replaces all lines of the collection with it. */
function toInjection(
  outer: readonly Header[],
  inner: readonly Header[],
  passed: ReadonlySet<string>,
): Injection {
  const overridden = new Set(inner.map(({ name }) => name))
  const lines = [...outer.filter(({ name }) => !overridden.has(name)), ...inner]
  return {
    lines,
    text: lines.map(({ line }) => line).join(''),
    names: toNameSet(
      lines.map(({ name }) => name),
      passed,
    ),
    fault: lines.find(({ fault }) => fault !== null)?.fault ?? null,
  }
}

/** Names that no collection may pass on are left out, whoever wrote the fragment. */
function passedOf({ pass_headers = [] }: CollectionFragment): ReadonlySet<string> {
  return new Set(pass_headers.filter((name) => !isNeverPassed(name)).map((name) => name.toLowerCase()))
}

function linkKeyPlaces({ key_places: places }: CollectionFragment): LinkedKeyPlaces | null {
  if (places === undefined) return null
  return {
    headers: new Set(places.headers.map((name) => name.toLowerCase())),
    query: new Set(places.query),
  }
}

function toNameSet(names: readonly string[], spared: ReadonlySet<string>): NameSet {
  let lengths = 0
  for (const name of names) lengths |= 1 << (name.length & 31)
  return { names: new Set(names), twins: new Set(names.map(twinOf)), spared, lengths }
}

function byPath(a: LinkedProxy, b: LinkedProxy): number {
  if (a.fragment.path !== b.fragment.path) return a.fragment.path < b.fragment.path ? -1 : 1
  return a.id < b.id ? -1 : 1
}

/** Links cross-origin rules. Throws a RangeError where a name could end its line. */
function linkCors(fragment: CorsFragment): LinkedCors {
  const { origins, headers, expose, credentials } = fragment
  const any = origins.includes('*')
  if (any && credentials) throw new RangeError('credentials are never allowed to every origin')
  const methods = fragment.methods.length === 0 ? HTTP_METHODS : fragment.methods
  const withCredentials = credentials ? 'Access-Control-Allow-Credentials: true\r\n' : ''
  return {
    any,
    origins: new Set(origins),
    below: origins
      .filter((origin) => origin.includes('://*.'))
      .map((origin) => [origin.slice(0, origin.indexOf('*')), origin.slice(origin.indexOf('*') + 1)]),
    preflight:
      withCredentials +
      lineOf('Access-Control-Allow-Methods', methods.join(', ')) +
      (headers.length === 0 ? '' : lineOf('Access-Control-Allow-Headers', headers.join(', '))) +
      lineOf('Access-Control-Max-Age', String(fragment.max_age_s)),
    lines:
      withCredentials +
      (expose.length === 0 ? '' : lineOf('Access-Control-Expose-Headers', expose.join(', '))),
  }
}

/**
 * Adds to each proxy the routes of the same collection that are more specific, that a lenient server may read a path of the proxy as,
 * and that have a protection of their own. Paths of such a reading are refused by the check `path readings`.
 */
function withGuardedBeside(proxies: readonly LinkedProxy[]): readonly LinkedProxy[] {
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
