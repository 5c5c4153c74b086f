/** Finds the proxy of a path and a method in one collection. */
import type { Found, LinkedProxy, Routes } from '../linked-types/collection.ts'
import { methodNames } from './methods.ts'
import { asRead, bySpecificity, matchesSegment, type Segment, toSegments } from './segment.ts'

interface Node {
  literals: Map<string, Node> | null
  /** The literal, when there is just one: comparing it costs less than a look-up. */
  only: { readonly text: string; readonly node: Node } | null
  patterns: { readonly segment: Segment; readonly node: Node }[]
  wildcard: LinkedProxy[] | null
  /** Proxies whose pattern ends here. */
  proxies: LinkedProxy[] | null
}

const found: Found = { proxy: null, others: null }

/** Builds the index. Throws when two proxies claim the same path and method. */
export function toRoutes(proxies: readonly LinkedProxy[]): Routes {
  const root = emptyNode()
  for (const proxy of proxies) insert(root, proxy)
  settle(root)
  return {
    find(below, method) {
      found.proxy = null
      found.others = null
      search(root, below === '' ? '/' : asRead(below), 1, method)
      return found
    },
  }
}

function emptyNode(): Node {
  return { literals: null, only: null, patterns: [], wildcard: null, proxies: null }
}

function insert(root: Node, proxy: LinkedProxy): void {
  let node = root
  for (const segment of toSegments(proxy.fragment.path)) {
    if (segment.kind === 'wildcard') {
      node.wildcard ??= []
      claim(node.wildcard, proxy)
      return
    }
    const shape = asRead(segment.shape)
    node =
      segment.kind === 'literal'
        ? literalChild(node, shape)
        : patternChild(node, { ...segment, shape, texts: segment.texts.map(asRead) })
  }
  node.proxies ??= []
  claim(node.proxies, proxy)
}

function claim(proxies: LinkedProxy[], proxy: LinkedProxy): void {
  for (const other of proxies) {
    const both = proxy.fragment.methods.filter((method) => other.fragment.methods.includes(method))
    if (both.length > 0)
      throw new RangeError(
        `${both.join(', ')} ${proxy.route} is claimed by ${other.fragment.slug} and ${proxy.fragment.slug}`,
      )
  }
  proxies.push(proxy)
}

function literalChild(node: Node, text: string): Node {
  node.literals ??= new Map()
  let child = node.literals.get(text)
  if (child === undefined) {
    child = emptyNode()
    node.literals.set(text, child)
  }
  return child
}

function patternChild(node: Node, segment: Segment): Node {
  const existing = node.patterns.find((pattern) => pattern.segment.shape === segment.shape)
  if (existing !== undefined) return existing.node
  const child = emptyNode()
  node.patterns.push({ segment, node: child })
  return child
}

/** Puts alternatives into their order, which is not the order of insertion. */
function settle(node: Node): void {
  node.patterns.sort((a, b) => bySpecificity(a.segment, b.segment))
  node.proxies?.sort(byId)
  node.wildcard?.sort(byId)
  for (const pattern of node.patterns) settle(pattern.node)
  if (node.literals === null) return
  for (const [text, child] of node.literals) {
    settle(child)
    if (node.literals.size === 1) node.only = { text, node: child }
  }
}

function byId(a: LinkedProxy, b: LinkedProxy): number {
  return a.id < b.id ? -1 : 1
}

/** Depth first in order of specificity; true ends the search. Each node is visited at most once for a path. */
function search(node: Node, path: string, at: number, method: number): boolean {
  const slash = path.indexOf('/', at)
  const end = slash === -1 ? path.length : slash
  if (node.only !== null) {
    const { text, node: child } = node.only
    if (text.length === end - at && path.startsWith(text, at) && arrive(child, path, end, method)) return true
  } else if (node.literals !== null) {
    const child = node.literals.get(path.slice(at, end))
    if (child !== undefined && arrive(child, path, end, method)) return true
  }
  for (let i = 0; i < node.patterns.length; i++) {
    const { segment, node: child } = node.patterns[i]!
    if (matchesSegment(segment.texts, path, at, end, null) && arrive(child, path, end, method)) return true
  }
  return node.wildcard !== null && choose(node.wildcard, method)
}

function arrive(child: Node, path: string, end: number, method: number): boolean {
  if (end < path.length) return search(child, path, end + 1, method)
  return child.proxies !== null && choose(child.proxies, method)
}

/** A proxy that names the method itself goes before one that answers HEAD through GET. */
function choose(proxies: readonly LinkedProxy[], method: number): boolean {
  let fallback: LinkedProxy | null = null
  for (let i = 0; i < proxies.length; i++) {
    const proxy = proxies[i]!
    if ((proxy.named & method) !== 0) {
      found.proxy = proxy
      return true
    }
    if ((proxy.methods & method) !== 0) fallback = proxy
  }
  if (fallback !== null) {
    found.proxy = fallback
    return true
  }
  found.others = found.others === null ? proxies : [...found.others, ...proxies]
  return false
}

/** Methods that the proxies of one path answer, for `Allow`. */
export function allowOf(bits: number): string {
  return methodNames(bits).join(', ')
}
