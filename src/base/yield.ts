import { setImmediate } from 'node:timers/promises'

const STEPS = 50
/** Milliseconds after which it is yielded whatever the number of steps. */
const SLICE_MS = 5

let yielded = 0

/**
 * Yields the event loop once in {@link STEPS} steps of long work, and earlier where steps take long: awaiting the store alone never
 * yields it.
 * @param step Number of steps done so far.
 */
export async function yieldThread(step: number): Promise<void> {
  if (step % STEPS !== 0 && performance.now() - yielded < SLICE_MS) return
  await setImmediate()
  yielded = performance.now()
}
