import { asRead, matchesSegment, type Segment, toSegments } from './segment.ts'
import type { TargetTemplate } from './snapshot.ts'

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
      if (ref === -1) throw new RangeError(`${target} has {${name}}, which ${path} has not`)
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

/** Values of the parameters by name, for a path below the base path that matched; as they came, percent-encoded. */
export function toParameters(path: string): (below: string) => ReadonlyMap<string, string> {
  const segments = toSegments(path)
  const names = segments.flatMap((segment) => segment.names)
  const values = valuesOf(segments)
  return (below) => {
    const read = values(below)
    return new Map(names.map((name, index) => [name, read[index] ?? '']))
  }
}
