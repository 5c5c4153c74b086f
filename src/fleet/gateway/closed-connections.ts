/** Logs connections that were closed because their source has too many. */
import type { Clock } from '../../base/clock.ts'

const EVERY_MS = 60_000

/** Tells the log of connections that were closed because their source has too many, at most once a minute. */
export function createClosedConnections(
  clock: Clock,
  max: number,
  log: (message: string) => void,
): { note(peer: string): void } {
  let nextAt = -Infinity
  let count = 0
  return {
    note(peer) {
      count++
      const now = clock.monotonic()
      if (now < nextAt) return
      nextAt = now + EVERY_MS
      log(
        `closed ${count} new connection${count === 1 ? '' : 's'}, the last from ${peer}: more than ${max} of one source (POSTERN_CONNECTIONS_PER_SOURCE_MAX)`,
      )
      count = 0
    },
  }
}
