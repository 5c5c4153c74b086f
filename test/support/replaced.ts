import type { Plain } from '../../src/base/json/storable.ts'

/** A copy in which the part that `seed` leads to is another one. */
export function withReplaced(whole: object, value: unknown, seed: number): object {
  const copy = structuredClone(whole) as Plain
  let here = copy
  for (let step = seed; ; step = Math.floor(step / 7)) {
    const keys = Object.keys(here)
    const key = keys[step % keys.length]!
    const inner = here[key]
    if (step % 3 === 0 || inner === null || typeof inner !== 'object' || Object.keys(inner).length === 0) {
      here[key] = value
      return copy
    }
    here = inner as Plain
  }
}

/** Copies in which each part in turn is another one. */
export function* withEachReplaced(whole: object, value: unknown): Generator<object> {
  const keys = Object.keys(whole)
  const at = (key: string, inner: unknown): object =>
    Array.isArray(whole) ? whole.with(Number(key), inner) : { ...whole, [key]: inner }
  for (const key of keys) {
    const inner = (whole as Plain)[key]
    yield at(key, value)
    if (inner !== null && typeof inner === 'object')
      for (const changed of withEachReplaced(inner, value)) yield at(key, changed)
  }
}

/** What JSON may hold and no text can be made of. */
export const NO_TEXT = { toString: 0, valueOf: 0 }
