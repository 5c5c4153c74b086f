/** Finds the collection of a path and a host, and reads a path as lenient servers do. */
import type { LinkedCollection } from '../linked-types/collection.ts'
import { compareSegments, segmentsOverlap } from './precedence.ts'
import { asRead, matchesSegment, type Segment, toSegments } from './segment.ts'

/** Collections by base path; the longest one that is a prefix at a slash wins, also where base paths nest. */
export interface Mounts {
  /**
   * @param path canonical path of a request. @param host authority, lower case, with or without port; empty for none.
   */
  find(path: string, host: string): LinkedCollection | null
  /**
   * The collection below `collection` that a lenient server may read the path of a request as one of; null when there is none.
   * @param collection what `find` gave for the path and the host
   */
  readDeeper(collection: LinkedCollection, path: string, host: string): LinkedCollection | null
}

export const NO_MOUNTS: Mounts = { find: () => null, readDeeper: () => null }

/** At one base path, collections for named hosts go before one for all; the smaller id decides between equals. */
export function toMounts(collections: Iterable<LinkedCollection>): Mounts {
  const byPath = new Map<string, LinkedCollection[]>()
  let depthMax = 0
  for (const collection of collections) {
    const path = collection.fragment.base_path
    const there = byPath.get(path)
    if (there === undefined) byPath.set(path, [collection])
    else there.push(collection)
    depthMax = Math.max(depthMax, path.split('/').length - 1)
  }
  for (const there of byPath.values()) there.sort(byReach)
  const inner = innerOf(byPath)
  return {
    readDeeper(collection, path, host) {
      const nested = inner.get(collection)
      if (nested === undefined) return null
      const parts = looseParts(path)
      for (const { collection: other, matches } of nested)
        if (answers(other, host) && matches(parts)) return other
      return null
    },
    find(path, host) {
      let end = prefixEnd(path, depthMax)
      while (end > 0) {
        const there = byPath.get(end === path.length ? path : path.slice(0, end))
        if (there !== undefined) {
          const collection = at(there, host)
          if (collection !== null) return collection
        }
        end = path.lastIndexOf('/', end - 1)
      }
      return null
    },
  }
}

/** Where the longest prefix of at most `depth` segments ends. */
function prefixEnd(path: string, depth: number): number {
  let end = 0
  for (let i = 0; i < depth; i++) {
    end = path.indexOf('/', end + 1)
    if (end === -1) return path.length
  }
  return end
}

function at(there: readonly LinkedCollection[], host: string): LinkedCollection | null {
  for (let i = 0; i < there.length; i++) {
    const collection = there[i]!
    if (answers(collection, host)) return collection
  }
  return null
}

function answers({ fragment: { hosts } }: LinkedCollection, host: string): boolean {
  return hosts.length === 0 || hosts.includes(hostName(host))
}

interface Nested {
  readonly collection: LinkedCollection
  readonly matches: (parts: readonly string[]) => boolean
}

/** Collections whose base path lies below that of another one, where case makes no difference; by that other one. */
function innerOf(byPath: ReadonlyMap<string, readonly LinkedCollection[]>) {
  const folded = new Map<string, LinkedCollection[]>()
  for (const [path, there] of byPath) {
    const lower = path.toLowerCase()
    const known = folded.get(lower)
    if (known === undefined) folded.set(lower, [...there])
    else known.push(...there)
  }
  const inner = new Map<LinkedCollection, Nested[]>()
  for (const [path, there] of folded)
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
      for (const outer of folded.get(path.slice(0, end)) ?? []) {
        const nested = there.map((collection) => ({ collection, matches: toLooseMatch(`${path}/*`) }))
        const known = inner.get(outer)
        if (known === undefined) inner.set(outer, nested)
        else known.push(...nested)
      }
  return inner
}

/** The name in an authority, without its port. */
export function hostName(host: string): string {
  const colon = host.lastIndexOf(':')
  return colon === -1 || host.endsWith(']') ? host : host.slice(0, colon)
}

function byReach(a: LinkedCollection, b: LinkedCollection): number {
  const anyHost = Number(a.fragment.hosts.length === 0) - Number(b.fragment.hosts.length === 0)
  return anyHost || (a.id < b.id ? -1 : 1)
}

// Paths as lenient servers read them.

/**
 * Readings of a path by servers that drop a part of it. RFC 3986 (3.3) leaves the meaning of `;` in a segment to the server:
 * some take `/export;x=1` for `/export`. Windows drops dots and spaces at the end of a name. Such a server would serve another
 * endpoint than the one whose route was matched.
 */

/** False for most paths: no server drops a part of them. */
export function mayBeShortened(path: string): boolean {
  return /;|%3B|%20|\.\/|\.$/.test(path)
}

/**
 * The path as a server reads it that drops parameters of segments, and dots and spaces at their end.
 * @param pattern what it matched; a segment of it that has a `;` of its own keeps its parameters.
 */
export function plainPath(below: string, pattern: string): string {
  const segments = toSegments(pattern)
  const parts = asRead(below).slice(1).split('/')
  return `/${parts.map((part, index) => plainPart(part, segments[index])).join('/')}`
}

/** True when the path has a `;` where its pattern has none. */
export function hasParameters(below: string, pattern: string): boolean {
  const segments = toSegments(pattern)
  return asRead(below)
    .slice(1)
    .split('/')
    .some((part, index) => part.includes(';') && !hasOwn(segments[index]))
}

/**
 * True when a segment begins with its parameters where its pattern does not: servers without parameters read `/a/;b/c` as `/a//c` or
 * `/a/c`.
 */
export function hasBareParameters(below: string, pattern: string): boolean {
  const segments = toSegments(pattern)
  return asRead(below)
    .slice(1)
    .split('/')
    .some((part, index) => part.startsWith(';') && !beginsWithOwn(segments[index]))
}

function beginsWithOwn(segment: Segment | undefined): boolean {
  return hasOwn(segment) && asRead(segment!.shape).startsWith(';')
}

function plainPart(part: string, segment: Segment | undefined): string {
  const bare = hasOwn(segment) ? part : part.split(';', 1)[0]!
  const plain = withoutEnd(bare)
  return plain === '' ? bare : plain
}

function hasOwn(segment: Segment | undefined): boolean {
  return segment !== undefined && segment.kind !== 'wildcard' && asRead(segment.shape).includes(';')
}

function withoutEnd(part: string): string {
  let end = part.length
  for (;;) {
    if (part.charCodeAt(end - 1) === 0x2e) end--
    else if (part.endsWith('%20', end)) end -= 3
    else return part.slice(0, end)
  }
}

/** Where a path ends for servers that decode it before they look for a query or fragment, and for file systems with streams. */
const ENDED = /(?:%3f|%23|(?::|%3a){2}(?:\$|%24)).*$/

/** A letter, digit, `-`, `_` or `~` that is encoded more than once. */
const ENCODED_TWICE = /%(?:25)+(2d|3\d|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])/gi

/**
 * Segments of a path for {@link toLooseMatch}: upper and lower case, a slash at the end, and how often a character is encoded make no
 * difference.
 */
export function looseParts(below: string): readonly string[] {
  const read = asRead(below)
  const once = read.includes('%25')
    ? read.replace(ENCODED_TWICE, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    : read
  return loose(loose(once).replace(ENDED, '')).slice(1).split('/')
}

/** Whether a server that is lenient in every known way could take a path for one of `pattern`; see {@link plainPath}. */
export function toLooseMatch(pattern: string): (parts: readonly string[]) => boolean {
  const segments = toLooseSegments(pattern)
  return (parts) => {
    for (const [index, segment] of segments.entries()) {
      // `/files` may be read as `/files/`
      if (segment.kind === 'wildcard') return parts.length >= index
      const part = parts[index]
      if (part === undefined) return false
      const plain = plainPart(part, segment)
      const fits =
        segment.kind === 'literal'
          ? segment.shape === plain
          : matchesSegment(segment.texts, plain, 0, plain.length, null)
      if (!fits) return false
    }
    return parts.length === segments.length
  }
}

/** Segments of a pattern, for {@link mayBeReadAs}. */
export function toLooseSegments(pattern: string): readonly Segment[] {
  return toSegments(loose(asRead(pattern)))
}

/** Whether such a server could read a path that leads to the route `from` as one of the more specific route `to`. */
export function mayBeReadAs(from: readonly Segment[], to: readonly Segment[]): boolean {
  // `/files/` leads to `/files/*`, and is `/files` for a server that drops the slash
  const rest = from.length - 1
  if (from[rest]!.kind === 'wildcard' && to.length === rest && segmentsOverlap(to, from.slice(0, rest)))
    return true
  return segmentsOverlap(to, from) && compareSegments(to, from) < 0
}

function loose(path: string): string {
  const lower = path.toLowerCase()
  return lower.length > 1 && lower.endsWith('/') ? lower.slice(0, -1) : lower
}
