import {
  isPlain,
  isStorable,
  type Plain,
  pointerTo,
  toStorable,
  UNSTORABLE,
} from '../../base/json/storable.ts'
import { type Refusal, refuse } from '../../base/refusal.ts'

/** Deeper documents are refused: real ones stay below 60, and recursive readers must not run out of stack. */
export const DEPTH_MAX = 128
/** Values (scalars, arrays, objects) in one document. The largest public descriptions have some 1,500,000. */
const VALUES_MAX = 5_000_000

/** Longest pointer that is told: names in a document may be megabytes long. */
const POINTER_MAX = 2000

/** The pointer as it may leave. */
export function boundedPointer(pointer: string): string {
  return pointer.length <= POINTER_MAX ? pointer : pointer.slice(0, POINTER_MAX).toWellFormed()
}

/** A refusal of the document for one place in it. */
export function broken(place: string, reason: string): Refusal {
  const pointer = boundedPointer(place)
  return refuse('document_invalid', {
    detail: `The document is broken at ${pointer === '' ? 'its root' : pointer}: ${reason}.`,
    errors: [{ pointer, reason }],
  })
}

/** The refusal of a document that takes more time or memory than reading it may. */
export function tooMuchToRead(): Refusal {
  return broken('', 'too much to read; split it, or convert it to JSON if it is YAML')
}

/** The text, or the refusal of one that no store keeps. */
export function storable(text: string, pointer: string): string {
  if (isStorable(text)) return text
  throw broken(pointer, `the text ${UNSTORABLE}`)
}

/** Counts values and depth while a document is read. */
export function createBounds(): (depth: number, pointer: string) => void {
  let values = 0
  return (depth, pointer) => {
    if (depth > DEPTH_MAX) throw broken(pointer, `nested more than ${DEPTH_MAX} levels deep`)
    if (++values > VALUES_MAX) throw broken(pointer, `more than ${VALUES_MAX} values`)
  }
}

/**
 * A copy that is certainly plain JSON data: bounded, without shared or circular parts, and without members named
 * `__proto__`, which would change the prototype when copied carelessly.
 */
export function toPlain(value: unknown): unknown {
  const count = createBounds()
  const copy = (item: unknown, pointer: string, depth: number): unknown => {
    count(depth, pointer)
    if (typeof item === 'string') return storable(item, pointer)
    if (item === null || typeof item === 'boolean') return item
    if (typeof item === 'number' && Number.isFinite(item)) return item
    if (Array.isArray(item))
      return item.map((entry, index) => copy(entry, pointerTo(pointer, index), depth + 1))
    if (!isPlain(item)) throw broken(pointer, 'not a JSON value')
    const result: Plain = {}
    for (const key of Object.keys(item)) {
      if (key === '__proto__' || item[key] === undefined) continue
      const place = pointerTo(pointer, toStorable(key))
      result[storable(key, place)] = copy(item[key], place, depth + 1)
    }
    return result
  }
  return copy(value, '', 0)
}
