/**
 * Prints the metrics page from shared memory. A gateway thread answers callers on the same machine. The main thread
 * authorizes other callers and prints the same page.
 */
import { type ExpositionFormat, toExposition } from '../../record/exposition.ts'
import { readCounts } from '../../record/request-counts.ts'
import type { StoreFault } from '../../store/ports/unavailable.ts'
import { HEALTH, REPLACEMENTS } from './messages.ts'
import type { Readiness } from './readiness.ts'

export interface MetricsPageOptions {
  /** Counts of all threads; see record/request-counts. */
  readonly memory: SharedArrayBuffer
  /** See {@link HEALTH}. */
  readonly health: SharedArrayBuffer
  /** Threads that write there. */
  readonly slots: number
  readonly checks: readonly string[]
  readonly version: string
  /** Seconds since the epoch. */
  readonly startedAt: number
}

/** The metrics page of any thread, from shared memory and figures of the process alone. */
export function createMetricsPage({
  memory,
  health,
  slots,
  checks,
  version,
  startedAt,
}: MetricsPageOptions): (format: ExpositionFormat, readiness: Readiness) => string {
  const cells = new Int32Array(health)
  return (format, { ready, threads, workers, stalled, nodes, valkey, store, stores, recorder }) => {
    const { user, system } = process.cpuUsage()
    return toExposition(
      readCounts(memory, slots, checks),
      {
        version,
        startedAt,
        cpuSeconds: (user + system) / 1e6,
        residentBytes: process.memoryUsage.rss(),
        ready,
        threads,
        workers,
        stalled,
        replaced: Object.fromEntries(
          REPLACEMENTS.map((reason, index) => [reason, Atomics.load(cells, HEALTH.replaced + index)]),
        ),
        nodes,
        isValkeyUp: valkey === null ? null : valkey.up,
        originsDown: Atomics.load(cells, HEALTH.originsDown),
        recordsDropped: recorder.dropped,
        stores: {
          configuration: { isAvailable: store && isUsable(stores.config), fault: stores.config },
          records: { isAvailable: recorder.running && isUsable(stores.records), fault: stores.records },
          idempotency: { isAvailable: stores.idempotency === null, fault: stores.idempotency },
          key: { isAvailable: stores.key === null, fault: stores.key },
          serving: { isAvailable: stores.serving === null, fault: stores.serving },
        },
      },
      format,
    )
  }
}

/** A slow store can be used. */
function isUsable(fault: StoreFault | null): boolean {
  return fault === null || fault === 'slow'
}
