import type { Plain } from '../../src/base/plain.ts'

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
