import { setFlagsFromString } from 'node:v8'

/**
 * Has the threads that are started from now on show V8's collector as `gc`, which {@link collectGarbage} calls. Not by
 * `runInNewContext('gc')`, which works in a running thread: a second context in a thread makes all its later code slower, a plain
 * request by a third.
 */
export function exposeCollector(): void {
  setFlagsFromString('--expose-gc')
}

/**
 * Collects the garbage of this thread now, and has V8 give free memory back to the system. A start makes much garbage, and a thread
 * with little to do would hold its pages for good: it never fills the young generation again that the start has made large. Under
 * load that generation grows as before. Takes about a millisecond for each megabyte of live objects, in which the thread does
 * nothing else. Does nothing in a thread that was started before {@link exposeCollector}.
 */
export function collectGarbage(): void {
  globalThis.gc?.()
}
