/**
 * The order in which routes are tried, as rules that can be read and printed. The indexes in `paths.ts` and `routes.ts` find
 * the same route.
 */
import type { LinkedCollection, LinkedProxy } from '../linked-types/collection.ts'
import { methodBit } from './methods.ts'
import { asRead, bySpecificity, matchesSegment, type Segment, toSegments } from './segment.ts'

/**
 * The order in which routes are tried, as rules that can be read and said; the indexes in `paths.ts` and `routes.ts`
 * find the same by looking less. It is total and depends on the routes alone, not on when they were made:
 *
 * 1. Collections: the longest base path that is a prefix of the path at a slash; of equal ones, those that name the host
 *    go before those for every host. The collection decides alone: its routes are the only ones that are looked at.
 * 2. Within it, segment by segment from the left: a literal before a parameter, a parameter with more literal text
 *    around it before one with less, any of them before a final wildcard.
 * 3. The first pattern in this order that answers the method wins; of routes with one pattern, the one that names the method;
 *    GET answers HEAD where no HEAD is.
 */
export function matchesPath(pattern: string, below: string): boolean {
  const path = asRead(below === '' ? '/' : below)
  const parts = path.slice(1).split('/')
  const segments = toSegments(pattern)
  for (const [index, segment] of segments.entries()) {
    if (segment.kind === 'wildcard') return parts.length > index
    const part = parts[index]
    if (part === undefined || !matchesPart(segment, part)) return false
  }
  return parts.length === segments.length
}

function matchesPart(segment: Segment, part: string): boolean {
  if (segment.kind === 'literal') return asRead(segment.shape) === part
  return matchesSegment(segment.texts.map(asRead), part, 0, part.length, null)
}

/** Negative when `a` is tried before `b`, for patterns that match a common path. 0 for the same shape. */
export function comparePatterns(a: string, b: string): number {
  return compareSegments(toSegments(a), toSegments(b))
}

/** As {@link comparePatterns}, of patterns that are split. */
export function compareSegments(as: readonly Segment[], bs: readonly Segment[]): number {
  return firstDifference(as, bs)?.order ?? 0
}

/** What of `winner` makes it go before `loser`. */
export function reasonFor(winner: string, loser: string): string {
  const difference = firstDifference(toSegments(winner), toSegments(loser))
  if (difference === null) return 'both have the same pattern'
  const { index, a, b } = difference
  return `its segment ${index + 1} is ${nameOf(a)}, which takes precedence over ${nameOf(b)}`
}

function nameOf(segment: Segment | undefined): string {
  if (segment === undefined) return 'its end'
  if (segment.kind === 'literal') return `the literal "${segment.shape}"`
  if (segment.kind === 'wildcard') return 'a wildcard'
  return segment.shape === '{}' ? 'a parameter' : `a parameter in "${segment.shape}"`
}

function firstDifference(
  as: readonly Segment[],
  bs: readonly Segment[],
): { index: number; order: number; a: Segment | undefined; b: Segment | undefined } | null {
  for (let index = 0; index < Math.max(as.length, bs.length); index++) {
    const a = as[index]
    const b = bs[index]
    const order = rankOf(a) - rankOf(b) || (a !== undefined && b !== undefined ? between(a, b) : 0)
    if (order !== 0) return { index, order, a, b }
  }
  return null
}

function rankOf(segment: Segment | undefined): number {
  if (segment === undefined) return 3
  return segment.kind === 'literal' ? 0 : segment.kind === 'pattern' ? 1 : 2
}

function between(a: Segment, b: Segment): number {
  if (a.kind === 'pattern') return bySpecificity(a, b)
  return a.shape === b.shape ? 0 : a.shape < b.shape ? -1 : 1
}

/** Whether some path fits both patterns. */
export function overlap(left: string, right: string): boolean {
  return segmentsOverlap(toSegments(left), toSegments(right))
}

/** As {@link overlap}, of patterns that are split. */
export function segmentsOverlap(as: readonly Segment[], bs: readonly Segment[]): boolean {
  const isOfOneLength = as.length === bs.length || endsOpen(as) || endsOpen(bs)
  if (!isOfOneLength) return false
  for (let index = 0; index < Math.max(as.length, bs.length); index++) {
    const a = as[index]
    const b = bs[index]
    if (a?.kind === 'wildcard') return bs.length > index
    if (b?.kind === 'wildcard') return as.length > index
    if (a === undefined || b === undefined || !canMeet(a, b)) return false
  }
  return true
}

function endsOpen(segments: readonly Segment[]): boolean {
  return segments.at(-1)?.kind === 'wildcard'
}

/** Whether some text fits both segments. Only ends are compared where both have parameters: it may say yes too often. */
function canMeet(a: Segment, b: Segment): boolean {
  if (a.kind === 'literal' && b.kind === 'literal') return asRead(a.shape) === asRead(b.shape)
  if (a.kind === 'literal') return matchesPart(b, asRead(a.shape))
  if (b.kind === 'literal') return matchesPart(a, asRead(b.shape))
  const [aFirst, bFirst] = [a.texts[0]!, b.texts[0]!]
  const [aLast, bLast] = [a.texts.at(-1)!, b.texts.at(-1)!]
  const starts = aFirst.startsWith(bFirst) || bFirst.startsWith(aFirst)
  return starts && (aLast.endsWith(bLast) || bLast.endsWith(aLast))
}

/** Whether requests to some path below `collection` go to `other`, whose base path lies deeper, or names the host. */
export function takesFrom(other: LinkedCollection, collection: LinkedCollection): boolean {
  const { base_path: inner, hosts: innerHosts } = other.fragment
  const { base_path: outer, hosts: outerHosts } = collection.fragment
  if (innerHosts.length > 0 && outerHosts.length > 0 && !innerHosts.some((host) => outerHosts.includes(host)))
    return false
  return inner === outer ? innerHosts.length > 0 && outerHosts.length === 0 : inner.startsWith(`${outer}/`)
}

/**
 * Adds to each proxy the others whose route nothing in a path tells from its own: `/x/{id}` and `/x/{id}.{ext}` both take `/x/a.b`, and
 * only the server knows which of them is meant. Literal text with a letter or digit does tell them apart: `/x/{id}.json`.
 */
export function withSharedPaths(proxies: readonly LinkedProxy[]): readonly LinkedProxy[] {
  const all = proxies.map((proxy) => ({ proxy, segments: toSegments(proxy.fragment.path) }))
  const divided = all.filter(({ segments }) => segments.some(isDivided))
  if (divided.length === 0) return proxies
  return all.map(({ proxy, segments }) => {
    const near = segments.some(isDivided) ? all : divided
    const sharing = near.filter((other) => other.proxy !== proxy && isShared(segments, other.segments))
    return sharing.length === 0 ? proxy : { ...proxy, sharing: sharing.map((other) => other.proxy) }
  })
}

/** Those of the proxies that share their route with one, which also have a path below the base path and a method. */
export function sharingAt({ sharing }: LinkedProxy, below: string, method: string): readonly LinkedProxy[] {
  const bit = methodBit(method)
  return sharing.filter(
    (other) => (other.methods & bit) !== 0 && matchesPath(other.fragment.path, below === '' ? '/' : below),
  )
}

/** Several parameters, parted by nothing but punctuation. */
function isDivided(segment: Segment): boolean {
  return segment.names.length > 1 && isNameless(segment)
}

function isNameless({ kind, texts }: Segment): boolean {
  return kind === 'pattern' && !texts.some((text) => /[A-Za-z0-9]/.test(asRead(text)))
}

function isShared(as: readonly Segment[], bs: readonly Segment[]): boolean {
  if (as.length !== bs.length) return false
  let differs = false
  for (const [index, a] of as.entries()) {
    const b = bs[index]!
    if (a.kind === b.kind && asRead(a.shape) === asRead(b.shape)) continue
    if (!isNameless(a) || !isNameless(b) || !(isDivided(a) || isDivided(b))) return false
    differs = true
  }
  return differs
}
