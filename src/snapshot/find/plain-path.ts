/** Paths as lenient servers read them. */
import { compareSegments, segmentsOverlap } from './precedence.ts'
import { asRead, matchesSegment, type Segment, toSegments } from './segment.ts'

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
