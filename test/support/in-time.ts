import assert from 'node:assert/strict'
import { runInNewContext } from 'node:vm'

/** Of the thread, milliseconds: what other programs of the machine do takes none of it. */
const CPU_MS_MAX = 5000
/** For work that does not end, on a machine with much load. */
const WATCHDOG_MS = 120_000

/** Does the work, and throws where it takes more than five seconds of CPU: also work that never lets go of the thread. */
export function inTime<T>(work: () => T): T {
  const begun = process.threadCpuUsage()
  // It is called as it is, in its own realm
  const done = runInNewContext('work()', { work }, { timeout: WATCHDOG_MS }) as T
  const { user, system } = process.threadCpuUsage(begun)
  const cpuMs = (user + system) / 1000
  assert.ok(cpuMs <= CPU_MS_MAX, `${cpuMs.toFixed(0)} ms of CPU, more than ${CPU_MS_MAX}`)
  return done
}
