import { totalmem } from 'node:os'
import { CALLER_MEMORY_MAX } from './caller-memory.ts'

/** One caller alone gets half, which must take a body of the usual bound. */
const LEAST_BYTES_MAX = 32 * 1024 * 1024

/**
 * What one of so many gateway threads may keep in memory for callers: all together a quarter of what the machine, or the
 * container, has.
 */
export function callerMemoryMax(threads: number): number {
  // 0 where the system does not tell, more than there is where nothing is set
  const memory = Math.min(process.constrainedMemory() || Infinity, totalmem())
  return Math.max(LEAST_BYTES_MAX, Math.min(CALLER_MEMORY_MAX, Math.floor(memory / 4 / threads)))
}
