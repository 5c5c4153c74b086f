import { setImmediate } from 'node:timers'

/** Does work, and counts the turns of the event loop that this thread has meanwhile. */
export async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0
  let next = setImmediate(count)
  function count(): void {
    turns++
    next = setImmediate(count)
  }
  try {
    await work()
  } finally {
    clearImmediate(next)
  }
  return turns
}

/** Holds this thread for longer than a time slice. */
export function holdThread(): void {
  const until = performance.now() + 6
  while (performance.now() < until);
}
