import { readlinkSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { setPriority } from 'node:os'

/**
 * Collects the garbage of this thread now, and has V8 give free memory back to the system. A start makes much garbage, and a thread
 * with little to do would hold its pages for good: it never fills the young generation again that the start has made large. Under
 * load that generation grows as before. Takes about a millisecond for each megabyte of live objects, in which the thread does
 * nothing else.
 *
 * It asks as a debugger does, which has V8 shrink the young generation too. Not by `runInNewContext('gc')`: a second context in a
 * thread makes all its later code slower, a plain request by a third.
 */
export async function collectGarbage(): Promise<void> {
  const session = new Session()
  session.connect()
  try {
    await session.post('HeapProfiler.collectGarbage')
  } finally {
    session.disconnect()
  }
}

/** While the imports of a program load, its starter may end already. */
const STARTER = process.ppid
const LOOK_MS = 500

/**
 * Resolves when the process has to stop, with the reason: SIGINT, SIGTERM, or the end of the npm script that started it.
 * npm passes signals on to the shell of a script, and that shell ends without passing them on: what it runs would stay.
 * Started in other ways, a process may outlive its starter.
 */
export function stopSignal(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, resolve)
  if (process.env['npm_lifecycle_event'] !== undefined) {
    const look = setInterval(() => {
      if (process.ppid !== STARTER) resolve('the script that started it has ended')
    }, LOOK_MS)
    // A program that has done its work, as the demo after its tour, ends without a signal
    look.unref()
    void promise.then(() => clearInterval(look))
  }
  return promise
}

/**
 * Lets all other threads of the machine go before this one, and has no effect where the system gives threads no priority of their
 * own: only Linux does (setpriority(2), section "C library/kernel differences").
 * @param nice from 0, as all threads are, to 19
 */
export function yieldToOthers(nice: number): void {
  try {
    // pid/task/tid: only the thread itself can tell its id
    const [, , id] = readlinkSync('/proc/thread-self').split('/')
    setPriority(Number(id), nice)
  } catch {
    // A thread without a lower priority works all the same
  }
}
