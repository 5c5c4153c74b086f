/** Path patterns such as `/orders/{id}`, as agents use them. */
import type { PathText } from './parameter-text.ts'

/**
 * Path patterns as an agent uses them: filled with values, or recognised in a concrete path. Only finds and
 * fills; what a path may reach is decided by the gateway's own router when the call runs.
 */
export interface Pattern {
  readonly segments: readonly Segment[]
  /** Names of the parameters in order; `*` for a final wildcard. */
  readonly names: readonly string[]
}

/** Literals and parameter names in turn, starting with a literal: `v{major}.{minor}` is `v`, `major`, `.`, `minor`, ``. */
type Segment = readonly string[]

const PARAMETER = /\{([^{}]+)\}/
const WILDCARD = '*'

/** Reads a pattern such as `/orders/{id}:cancel` or `/files/*`. */
export function toPattern(path: string): Pattern {
  const texts = path.slice(1).split('/')
  const segments = texts.map((text, index) =>
    text === WILDCARD && index === texts.length - 1 ? ['', WILDCARD, ''] : text.split(PARAMETER),
  )
  return { segments, names: segments.flatMap((segment) => segment.filter((_, index) => index % 2 === 1)) }
}

/**
 * The values that make a pattern equal to a concrete path, decoded; null when it cannot be. A value that is read
 * from between two literals ends at the first place that fits.
 */
export function matchPath(pattern: Pattern, path: string): Map<string, string> | null {
  return matchTexts(pattern, toTexts(path))
}

/** The segments of a concrete path, decoded: what {@link matchTexts} compares with many patterns. */
export function toTexts(path: string): string[] {
  return path.slice(1).split('/').map(decoded)
}

/** As {@link matchPath}, for segments that were decoded already. */
export function matchTexts(pattern: Pattern, texts: readonly string[]): Map<string, string> | null {
  const values = new Map<string, string>()
  for (const [index, segment] of pattern.segments.entries()) {
    if (isWildcard(segment)) {
      const rest = texts.slice(index)
      if (rest.length === 0 || rest.some((text) => text.includes('/'))) return null
      values.set(WILDCARD, rest.join('/'))
      return values
    }
    const text = texts[index]
    if (text === undefined || !matchSegment(segment, text, values)) return null
  }
  return texts.length === pattern.segments.length ? values : null
}

/** True when the pattern ends in `/*` and so fits paths of any length. */
export function isOpen(pattern: Pattern): boolean {
  return isWildcard(pattern.segments.at(-1)!)
}

/** The first segment, decoded, when it is a literal; else null. */
export function firstLiteral(pattern: Pattern): string | null {
  const first = pattern.segments[0]!
  return first.length === 1 ? decoded(first[0]!) : null
}

function isWildcard(segment: Segment): boolean {
  return segment[1] === WILDCARD
}

function matchSegment(segment: Segment, text: string, values: Map<string, string>): boolean {
  const head = decoded(segment[0]!)
  if (segment.length === 1) return head === text
  if (!text.startsWith(head)) return false
  let at = head.length
  for (let index = 1; index < segment.length; index += 2) {
    const literal = decoded(segment[index + 1]!)
    const last = index + 2 >= segment.length
    const end = last ? text.length - literal.length : text.indexOf(literal, at + 1)
    if (end <= at || !text.startsWith(literal, end)) return false
    values.set(segment[index]!, text.slice(at, end))
    at = end + literal.length
  }
  return at === text.length
}

/** Percent-decoded once; as it stands when it is no valid encoding. */
function decoded(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Which of two patterns says more about a path, segment by segment: literal, mixed, parameter, wildcard. */
export function moreSpecific(a: Pattern, b: Pattern): number {
  const length = Math.max(a.segments.length, b.segments.length)
  for (let index = 0; index < length; index++) {
    const difference = rankOf(b.segments[index]) - rankOf(a.segments[index])
    if (difference !== 0) return difference
  }
  return 0
}

function rankOf(segment: Segment | undefined): number {
  if (segment === undefined) return -1
  if (segment.length === 1) return 3
  if (isWildcard(segment)) return 0
  return segment[0] === '' && segment.length === 3 && segment[2] === '' ? 1 : 2
}

export type Filled =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly name: string; readonly reason: string }

/**
 * Fills a pattern. Every value is percent-encoded as a whole, so that it stays inside its segment; values that
 * could not (separators, control characters, dot segments, nothing at all) are refused by name. A text that is encoded already stands
 * as it is, without the prefix that the pattern has.
 */
export function fillPattern(pattern: Pattern, values: ReadonlyMap<string, string | PathText>): Filled {
  let path = ''
  for (const segment of pattern.segments) {
    if (segment.length === 1) {
      path += `/${segment[0]}`
      continue
    }
    let text = ''
    for (const [index, part] of segment.entries()) {
      if (index % 2 === 0) {
        text += part
        continue
      }
      const value = values.get(part)
      if (value === undefined) return { ok: false, name: part, reason: 'is required' }
      if (typeof value !== 'string') {
        const fault = value.encoded === '' ? EMPTY : firstFault(value.parts)
        if (fault !== null) return { ok: false, name: part, reason: fault }
        text += (value.prefix !== '.' && text.endsWith(value.prefix) ? '' : value.prefix) + value.encoded
        continue
      }
      const pieces = part === WILDCARD ? value.split('/') : [value]
      for (const [at, piece] of pieces.entries()) {
        const fault = faultOf(piece)
        if (fault !== null) return { ok: false, name: part, reason: fault }
        text += (at === 0 ? '' : '/') + encodeURIComponent(piece)
        if (part === WILDCARD && isDots(piece)) return { ok: false, name: part, reason: DOTS }
      }
    }
    if (isDots(text)) return { ok: false, name: segment[1]!, reason: DOTS }
    path += `/${text}`
  }
  return { ok: true, path }
}

const DOTS = 'must not make a dot segment'

function isDots(text: string): boolean {
  return text === '.' || text === '..'
}

function firstFault(texts: readonly string[]): string | null {
  return texts.map((text) => (text === '' ? null : faultOf(text))).find((fault) => fault !== null) ?? null
}

const EMPTY = 'must not be empty'

function faultOf(value: string): string | null {
  if (value === '') return EMPTY
  if (/[/\\]/.test(value)) return 'must not hold a slash or backslash'
  if (/[\x00-\x1f\x7f]/.test(value)) return 'must not hold control characters'
  return value.isWellFormed() ? null : 'must be valid Unicode'
}
