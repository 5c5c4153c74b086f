import { isNeverPassed, twinOf } from '../../model/http-names.ts'
import type { Opener } from '../../vault/opener.ts'
import { limitKeyOf } from '../find/limit-key.ts'
import { methodBit, methodBits } from '../find/methods.ts'
import { toRoutes } from '../find/routes.ts'
import { toSegments } from '../find/segment.ts'
import { withSharedPaths } from '../find/shared-paths.ts'
import { toParameters, toTarget } from '../find/target.ts'
import type { CollectionFragment, HeaderFragment, ProxyFragment } from '../fragments.ts'
import type { Injection, LinkedCollection, LinkedProxy, NameSet, NodeServers } from '../linked/collection.ts'
import type { LinkedUpstream } from '../linked/upstream.ts'
import { linkCors } from './cors.ts'
import { withGuardedBeside } from './guarded-routes.ts'
import { lineOf } from './header-line.ts'
import { partsOfPlace, placeOf } from './header-place.ts'
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

function toNameSet(names: readonly string[], spared: ReadonlySet<string>): NameSet {
  let lengths = 0
  for (const name of names) lengths |= 1 << (name.length & 31)
  return { names: new Set(names), twins: new Set(names.map(twinOf)), spared, lengths }
}

function byPath(a: LinkedProxy, b: LinkedProxy): number {
  if (a.fragment.path !== b.fragment.path) return a.fragment.path < b.fragment.path ? -1 : 1
  return a.id < b.id ? -1 : 1
}
