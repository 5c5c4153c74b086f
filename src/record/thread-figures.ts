/** Figures of a thread for the metrics page: heap and delay of its event loop. */
import { getHeapStatistics } from 'node:v8'
import { type RequestCounts, THREAD_CELLS } from './request-counts.ts'

const TICK_MS = 250
/** Ticks of which the longest delay is shown. */
const TICKS = 20

/**
 * Says every 5 seconds how large the heap of this thread is, and how long its event loop was held up. Does not keep the
 * thread alive. @param revision of the configuration that the thread serves
 */
export function keepThreadFigures(counts: RequestCounts, revision: () => number): void {
  let dueAt = performance.now() + TICK_MS
  let longestMs = 0
  let ticks = 0
  const say = (): void => {
    const { used_heap_size, total_heap_size } = getHeapStatistics()
    counts.set(THREAD_CELLS.heapUsedBytes, used_heap_size)
    counts.set(THREAD_CELLS.heapTotalBytes, total_heap_size)
    counts.set(THREAD_CELLS.lagSeconds, longestMs / 1000)
    counts.set(THREAD_CELLS.revision, revision())
    longestMs = 0
    ticks = 0
  }
  // The thread before in this slot may have ended with some
  counts.set(THREAD_CELLS.parkedCalls, 0)
  say()
  setInterval(() => {
    const now = performance.now()
    longestMs = Math.max(longestMs, now - dueAt)
    dueAt = now + TICK_MS
    if (++ticks === TICKS) say()
  }, TICK_MS).unref()
}
