import { setImmediate as afterTurn } from 'node:timers'
import { setImmediate } from 'node:timers/promises'

/** Length of a slice, after which the event loop gets a turn, milliseconds. */
const SLICE_MS = 5

/** Runs long work in time slices: at each `yield` the event loop may get a turn. */
export async function inSlices<T>(work: Generator<void, T>): Promise<T> {
  let began = performance.now()
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
    if (performance.now() - began < SLICE_MS) continue
    await setImmediate()
    began = performance.now()
  }
}

/** Runs the same work without a pause. */
export function withoutPause<T>(work: Generator<void, T>): T {
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

const STEPS = 50

let yielded = 0

/**
 * Yields the event loop once in {@link STEPS} steps of long work, and earlier where steps take long: awaiting the store alone yields it
 * between two statements at most.
 * @param step Number of steps done so far.
 */
export async function yieldThread(step: number): Promise<void> {
  if (step % STEPS !== 0 && performance.now() - yielded < SLICE_MS) return
  await setImmediate()
  yielded = performance.now()
}

/** When the present turn of the event loop was first asked about; undefined in a turn that was not. */
let turnBegan: number | undefined

/**
 * For steps that are awaited one by one and are short each: a pause for the event loop, if its present turn has lasted longer than a
 * slice since it was first asked. Undefined otherwise, and the step goes on at once.
 */
export function pauseOfLongTurn(): Promise<void> | undefined {
  const now = performance.now()
  if (turnBegan !== undefined) return now - turnBegan < SLICE_MS ? undefined : setImmediate()
  turnBegan = now
  afterTurn(() => {
    turnBegan = undefined
  })
  return undefined
}
