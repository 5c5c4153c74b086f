import { setImmediate } from 'node:timers'
import { setTimeout as wait } from 'node:timers/promises'

/**
 * Does work, and measures the longest that it has held this thread: processor time of the thread between two runs of a timer,
 * milliseconds. Load of the machine does not count, garbage collection of the thread does.
 */
export async function longestBlock(work: () => Promise<unknown>): Promise<number> {
  let isDone = false
  let longest = 0
  const watched = work().finally(() => {
    isDone = true
  })
  watched.catch(() => {})
  let before = cpuMs()
  while (!isDone) {
    // Turns in between are short ones, or a long one
    await wait(2)
    const now = cpuMs()
    longest = Math.max(longest, now - before)
    before = now
  }
  await watched
  return longest
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

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
