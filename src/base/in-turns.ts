import { setImmediate } from 'node:timers/promises'

/** How long work goes on before the event loop gets a turn, milliseconds. */
const STRETCH_MS = 5

/** Does long work in stretches: each `yield` of it is a place where the event loop may get a turn. */
export async function inTurns<T>(work: Generator<void, T>): Promise<T> {
  let began = performance.now()
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
    if (performance.now() - began < STRETCH_MS) continue
    await setImmediate()
    began = performance.now()
  }
}

/** Does the same work without a pause. */
export function atOnce<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

/** The text that `JSON.stringify` makes of plain data, with a pause after each member down to `depth`. */
export function* jsonText(value: unknown, depth: number): Generator<void, string> {
  if (depth === 0 || value === null || typeof value !== 'object' || Array.isArray(value)) {
    yield
    return JSON.stringify(value)
  }
  const members: string[] = []
  for (const [name, member] of Object.entries(value))
    if (member !== undefined) members.push(`${JSON.stringify(name)}:${yield* jsonText(member, depth - 1)}`)
  return `{${members.join()}}`
}
