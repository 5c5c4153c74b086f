/** Segments of path patterns. */

/**
 * One segment of a path pattern. `shape` is the same for segments that match the same texts, whatever their
 * parameters are called.
 */
export interface Segment {
  readonly kind: 'literal' | 'pattern' | 'wildcard'
  readonly shape: string
  /** Texts around the parameters: `v{major}.{minor}` is `v`, `.` and ``. One text for a literal. */
  readonly texts: readonly string[]
  readonly names: readonly string[]
}

const PARAMETER = /\{([^{}]*)\}/g

/** Segments of a pattern below the base path, such as `/v1/orders/{id}`. */
export function toSegments(pattern: string): Segment[] {
  const parts = pattern.slice(1).split('/')
  return parts.map((part, index) => {
    if (part === '*' && index === parts.length - 1)
      return { kind: 'wildcard', shape: '*', texts: [], names: [] }
    const names = [...part.matchAll(PARAMETER)].map((match) => match[1]!)
    const shape = part.replace(PARAMETER, '{}')
    return { kind: names.length === 0 ? 'literal' : 'pattern', shape, texts: shape.split('{}'), names }
  })
}

/** Escapes of `!$&'()*+,;=:@`, which may stand plainly in a segment (RFC 3986 3.3). */
const NEEDLESS = /%(?:2[146789ABC]|3[ABD]|40)/g

/**
 * A canonical path as most servers read it. Routes are matched in this form, so that `5%3Acancel` is no way around a
 * rule for `{id}:cancel`; forwarded is what came.
 */
export function asRead(path: string): string {
  return path.includes('%') ? path.replace(NEEDLESS, decodeURIComponent) : path
}

/**
 * Whether `path` from `at` to `end` has the form of the segment; each parameter takes at least one character, and as
 * few as the text after it allows. With `values`, they are added to it.
 */
export function matchesSegment(
  texts: readonly string[],
  path: string,
  at: number,
  end: number,
  values: string[] | null,
): boolean {
  const first = texts[0]!
  if (!path.startsWith(first, at)) return false
  let from = at + first.length
  const last = texts.length - 1
  for (let i = 1; i <= last; i++) {
    const text = texts[i]!
    const next = i === last ? end - text.length : path.indexOf(text, from + 1)
    if (next <= from || next + text.length > end || !path.startsWith(text, next)) return false
    if (values !== null) values.push(path.slice(from, next))
    from = next + text.length
  }
  return from === end
}

/** Order of pattern segments in one place: more literal text first, then fewer parameters, then by text. */
export function bySpecificity(a: Segment, b: Segment): number {
  const literal = (segment: Segment): number => segment.texts.join('').length
  return (
    literal(b) - literal(a) ||
    a.texts.length - b.texts.length ||
    (a.shape < b.shape ? -1 : a.shape > b.shape ? 1 : 0)
  )
}
