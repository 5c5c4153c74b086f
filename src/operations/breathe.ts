import { setImmediate } from 'node:timers/promises'

const STEPS = 50

/**
 * Lets others have the thread once in so many steps of long work: what awaits the store alone never gives it away.
 * @param step Count of the steps that were done.
 */
export async function breathe(step: number): Promise<void> {
  if (step % STEPS === 0) await setImmediate()
}
