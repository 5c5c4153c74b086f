import { runInNewContext } from 'node:vm'

/** Does the work, and throws where it has not ended in five seconds: also work that never lets go of the thread. */
export function inTime<T>(work: () => T): T {
  // It is called as it is, in its own realm
  return runInNewContext('work()', { work }, { timeout: 5000 }) as T
}
