import { setImmediate } from 'node:timers/promises'

const STEPS = 50

/**
 * Yields the event loop once in {@link STEPS} steps of long work: awaiting the store alone never yields it.
 * @param step Number of steps done so far.
 */
export async function yieldThread(step: number): Promise<void> {
  if (step % STEPS === 0) await setImmediate()
}
