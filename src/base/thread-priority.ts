import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'

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
