/** Bounds the connections of each source over all threads. */
import type { Clock } from '../../base/clock.ts'
import type { SourceCounts } from '../../gateway/admit/source-counts.ts'
import type { trustedNetworks } from '../../gateway/identify/origin.ts'
import { isIn } from '../../snapshot/find/network.ts'
import { LISTENERS } from './router.ts'

export interface ConnectionPlacesOptions {
  readonly clock: Clock
  /** Counted over all threads. */
  readonly sources: SourceCounts
  /** Connections of one source on each listener. */
  readonly max: number
  /** A trusted proxy stands for many callers: its connections are not bounded by its address. */
  readonly trusted: ReturnType<typeof trustedNetworks>
  readonly log: (message: string) => void
}

/**
 * Bounds the connections of each source. Gives what ends the connection's place, or null where the source has as many as it
 * may: the connection is then closed, and the log told.
 */
export function createConnectionPlaces({
  clock,
  sources,
  max,
  trusted,
  log,
}: ConnectionPlacesOptions): (peer: string, listener: number) => (() => void) | null {
  const closedConnections = createClosedConnections(clock, max, log)
  return (peer, listener) => {
    if (trusted !== null && isIn(trusted, peer)) return () => {}
    const counted = listener === LISTENERS.control ? 'control_connections' : 'gateway_connections'
    const leave = sources.enter(counted, peer, max, clock.now())
    if (leave === null) closedConnections.note(peer)
    return leave
  }
}

// Logs connections that were closed because their source has too many.

const EVERY_MS = 60_000

/** Tells the log of connections that were closed because their source has too many, at most once a minute. */
function createClosedConnections(
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
        `closed ${count} new connection${count === 1 ? '' : 's'}, the last from ${peer}: the limit is ${max} connections of one source (POSTERN_CONNECTIONS_PER_SOURCE_MAX)`,
      )
      count = 0
    },
  }
}
