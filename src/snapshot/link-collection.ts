import type { CollectionFragment, HeaderFragment, ProxyFragment } from './fragments.ts'
import { limitKeyOf } from './limit-key.ts'
import { linkCors } from './link-cors.ts'
import { linkUpstream, withTimeouts } from './link-upstream.ts'
import { methodBit, methodBits } from './methods.ts'
import { toRoutes } from './routes.ts'
import type { Injection, LinkedCollection, LinkedProxy, LinkedUpstream, NameSet } from './snapshot.ts'
import { toParameters, toTarget } from './target.ts'

/**
 * Links a collection. Throws a RangeError that names what is wrong.
 * @param before the one of that id so far.
 */
export function linkCollection(
  fragment: CollectionFragment,
  before: LinkedCollection | null = null,
): LinkedCollection {
  const upstream =
    fragment.upstream === null ? null : linkUpstream(fragment.upstream, before?.upstream ?? null)
  const proxies = fragment.proxies.map((proxy) => linkProxy(fragment, upstream, proxy)).sort(byPath)
  return {
    kind: 'collection',
    id: fragment.id,
    fragment,
    routes: toRoutes(proxies),
    proxies,
    upstream,
    cors: fragment.cors === null ? null : linkCors(fragment.cors),
    fault: null,
    key: limitKeyOf(`collection:${fragment.id}`),
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
    cors: null,
    fault,
    key,
  }
}

function linkProxy(
  collection: CollectionFragment,
  upstream: LinkedUpstream | null,
  proxy: ProxyFragment,
): LinkedProxy {
  let named = 0
  for (const method of proxy.methods) named |= methodBit(method)
  const credential =
    proxy.credential === 'inherit'
      ? collection.credential
      : proxy.credential === 'none'
        ? null
        : proxy.credential
  return {
    fragment: proxy,
    id: proxy.id,
    route: collection.base_path + (proxy.path === '/' ? '' : proxy.path),
    named,
    methods: methodBits(proxy.methods),
    target: toTarget(proxy.path, proxy.target_path),
    headers: toInjection(collection.headers, proxy.headers),
    credential,
    policy: proxy.policy,
    upstream:
      upstream === null || proxy.timeouts === undefined ? null : withTimeouts(upstream, proxy.timeouts),
    parameters: proxy.contract === null ? null : toParameters(proxy.path),
    key: limitKeyOf(`proxy:${proxy.id}`),
  }
}

/** Lines of both lists; a name that the proxy sets replaces all lines of the collection with it. */
function toInjection(outer: readonly HeaderFragment[], inner: readonly HeaderFragment[]): Injection {
  const overridden = new Set(inner.map(({ name }) => name.toLowerCase()))
  const kept = [...outer.filter(({ name }) => !overridden.has(name.toLowerCase())), ...inner]
  const lines = kept.map(({ name, value }) => ({ name: name.toLowerCase(), line: lineOf(name, value) }))
  return {
    lines,
    text: lines.map(({ line }) => line).join(''),
    names: toNameSet(lines.map(({ name }) => name)),
  }
}

function toNameSet(names: readonly string[]): NameSet {
  let lengths = 0
  for (const name of names) lengths |= 1 << (name.length & 31)
  return { names: new Set(names), lengths }
}

/** A header line. Throws where a name or value could end the line or the head. */
export function lineOf(name: string, value: string): string {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) throw new RangeError(`"${name}" is no header name`)
  if (!/^[\t -~]*$/.test(value))
    throw new RangeError(`the value of header ${name} has characters that cannot be sent`)
  return `${name}: ${value}\r\n`
}

function byPath(a: LinkedProxy, b: LinkedProxy): number {
  if (a.fragment.path !== b.fragment.path) return a.fragment.path < b.fragment.path ? -1 : 1
  return a.id < b.id ? -1 : 1
}
