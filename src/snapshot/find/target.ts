/** The path at the upstream, and the values of path parameters. */
import type { TargetTemplate } from '../linked-types/collection.ts'
import { asRead, matchesSegment, type Segment, toSegments } from './segment.ts'

const WILDCARD = -1

/**
 * How the path at the upstream is made from one that matched `path`; null when they are the same. Values are put in
 * as they came, so what was matched is what is forwarded. Throws a RangeError when `target` names a parameter that
 * `path` has not.
 */
export function toTarget(path: string, target: string): TargetTemplate | null {
  if (path === target) return null
  const segments = toSegments(path)
  const names = segments.flatMap((segment) => segment.names)
  const hasRest = segments.at(-1)?.kind === 'wildcard'
  const pieces = ['']
  const refs: number[] = []
  for (const segment of toSegments(target)) {
    pieces[pieces.length - 1] += '/'
    if (segment.kind === 'wildcard') {
      if (!hasRest) throw new RangeError(`${target} ends in /* but ${path} does not`)
      refs.push(WILDCARD)
      pieces.push('')
      continue
    }
    for (const [index, text] of segment.texts.entries()) {
      pieces[pieces.length - 1] += text
      const name = segment.names[index]
      if (name === undefined) continue
      const ref = names.indexOf(name)
      if (ref === -1) throw new RangeError(`${target} has {${name}}, which ${path} does not have`)
      refs.push(ref)
      pieces.push('')
    }
  }
  const all = [...segments, ...toSegments(target)]
  return { pieces, refs, values: valuesOf(segments), isPartial: all.some(isPartial) }
}

/** The parameters of `v{major}` take, or make, a part of a segment. */
function isPartial({ kind, shape }: Segment): boolean {
  return kind === 'pattern' && shape !== '{}'
}

/** The path below the upstream's own, for a path below the base path that matched. */
export function fillTarget(template: TargetTemplate, below: string): string {
  const values = template.values(below)
  let path = template.pieces[0]!
  for (let i = 0; i < template.refs.length; i++) {
    const ref = template.refs[i]!
    path += values[ref === WILDCARD ? values.length - 1 : ref]! + template.pieces[i + 1]!
  }
  return path
}

/** Reads the values of the parameters of a pattern, in its order, out of a path that matched; a wildcard's rest is last. */
function valuesOf(segments: readonly Segment[]): (below: string) => string[] {
  const hasRest = segments.at(-1)?.kind === 'wildcard'
  return function values(below) {
    const read: string[] = []
    let at = 1
    for (const segment of segments) {
      if (segment.kind === 'wildcard') break
      const slash = below.indexOf('/', at)
      const end = slash === -1 ? below.length : slash
      if (segment.kind === 'pattern') {
        const before = read.length
        if (!matchesSegment(segment.texts, below, at, end, read)) {
          // It matched in the form that is read
          read.length = before
          const text = asRead(below.slice(at, end))
          matchesSegment(segment.texts.map(asRead), text, 0, text.length, read)
        }
      }
      at = end + 1
    }
    if (hasRest) read.push(below.slice(at))
    return read
  }
}

/** Ways to divide one path among its parameters that are looked at. */
const DIVISIONS_MAX = 32

/**
 * Values of the parameters by name, for a path below the base path that matched; as they came, percent-encoded. First
 * those that are forwarded. Where a segment with several parameters can be divided in other ways (`a.b.png` by
 * `{name}.{ext}`) and the target does not depend on it, these follow.
 */
export function toParameters(
  path: string,
  target: string,
): (below: string) => readonly ReadonlyMap<string, string>[] {
  const segments = toSegments(path)
  const names = segments.flatMap((segment) => segment.names)
  const values = valuesOf(segments)
  const named = (read: readonly string[]): ReadonlyMap<string, string> =>
    new Map(names.map((name, index) => [name, read[index] ?? '']))
  const isDivided = segments.some((segment) => segment.names.length > 1) && keepsSegments(path, target)
  if (!isDivided) return (below) => [named(values(below))]
  return (below) => {
    const parts = below.slice(1).split('/')
    let ways: string[][] = [[]]
    for (const [index, segment] of segments.entries()) {
      if (segment.kind !== 'pattern') continue
      const found = divisionsOf(segment.texts, parts[index] ?? '')
      ways = ways.flatMap((before) => found.map((more) => [...before, ...more])).slice(0, DIVISIONS_MAX)
    }
    // Empty where the path matched in the form that is read alone
    return [values(below), ...ways].map(named)
  }
}

/** Each segment with several parameters stands in the target as it is, and none of them stands elsewhere. */
function keepsSegments(path: string, target: string): boolean {
  if (path === target) return true
  const shared = path.split('/').filter((part) => (part.match(/\{/g) ?? []).length > 1)
  const rest = target.split('/').filter((part) => !shared.includes(part))
  return shared.every(
    (part) =>
      target.split('/').includes(part) &&
      [...part.matchAll(/\{[^{}]*\}/g)].every(([name]) => !rest.some((other) => other.includes(name))),
  )
}

/** Every way in which a text fits the texts around parameters; each parameter takes at least one character. */
function divisionsOf(texts: readonly string[], text: string): string[][] {
  const found: string[][] = []
  const divide = (index: number, from: number, values: readonly string[]): void => {
    if (found.length === DIVISIONS_MAX) return
    const next = texts[index]!
    if (index === texts.length - 1) {
      const end = text.length - next.length
      if (end > from && text.endsWith(next)) found.push([...values, text.slice(from, end)])
      return
    }
    for (let at = text.indexOf(next, from + 1); at !== -1; at = text.indexOf(next, at + 1))
      divide(index + 1, at + next.length, [...values, text.slice(from, at)])
  }
  if (text.startsWith(texts[0]!)) divide(1, texts[0]!.length, [])
  return found
}
