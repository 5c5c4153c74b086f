import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Collects the garbage of this thread now, and has V8 give free memory back to the system. A start makes much garbage, and a thread
 * with little to do would hold its pages for good: it never fills the young generation again that the start has made large. Under
 * load that generation grows as before. Takes about a millisecond for each megabyte of live objects, in which the thread does
 * nothing else.
 */
export function collectGarbage(): void {
  // Shows the collector to contexts that are made from now on, such as the one below, and not to this one
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') collect()
}
