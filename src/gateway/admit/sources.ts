/** Connections and pending requests of each source address, counted in shared memory for all threads. */
import { scatter } from '../../snapshot/find/limit-key.ts'
import { toAddress } from '../../snapshot/find/network.ts'
import { CounterTable, ENTRY_WORDS, IN_FLIGHT, TOTAL, tableBytes } from './table.ts'

/** What is counted for each source, on each of the two listeners. */
const COUNTED = ['gateway_connections', 'control_connections', 'gateway_pending', 'control_pending'] as const
export type Counted = (typeof COUNTED)[number]

/** Sources that are counted at once, powers of two. Beyond that a source is not bounded, only all sources together are. */
const ENTRIES: Readonly<Record<Counted, number>> = {
  gateway_connections: 16_384,
  control_connections: 2048,
  gateway_pending: 4096,
  control_pending: 2048,
}
/** Before the tables: see the memory of the counters. */
const RESERVED_BYTES = 64

/** Memory for {@link SourceCounts}, shared by all threads. */
export function createSourceMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(
    COUNTED.reduce((bytes, name) => bytes + tableBytes(ENTRIES[name]), RESERVED_BYTES),
  )
}

/**
 * How many connections, and how many pending requests to the control plane, each source has in all gateway threads. A
 * source is an IPv4 address or an IPv6 /64. What a thread held is given back when that thread has ended.
 */
export class SourceCounts {
  readonly #slot: number
  readonly #tables: Readonly<Record<Counted, CounterTable>>
  /** What could not be given back yet: the lock is held by a thread that has died. */
  #owed: (() => boolean)[] = []

  /** Attaches the thread of `slot`. */
  constructor(memory: SharedArrayBuffer, slot: number) {
    this.#slot = slot
    let at = RESERVED_BYTES
    this.#tables = Object.fromEntries(
      COUNTED.map((name) => {
        const table = new CounterTable(memory, at, ENTRIES[name], slot)
        at += tableBytes(ENTRIES[name])
        return [name, table]
      }),
    ) as Record<Counted, CounterTable>
  }

  /**
   * Counts one more for a source.
   * @returns What gives it back, to be called once; null when the source has `max` already.
   */
  enter(counted: Counted, ip: string, max: number, now: number): (() => void) | null {
    // Without the zone of a link-local address
    const words = toAddress(ip.replace(/%.*$/, ''))
    const low = scatter(words[0] ?? 0) || 1
    const high = words[1] ?? 0
    const table = this.#tables[counted]
    const stripe = table.stripeOf(low)
    if (!table.stripes.lock(stripe)) return () => {}
    const entry = table.find(low, high, IN_FLIGHT, table.timeOf(low, now))
    const isOver = entry !== -1 && table.words[entry * ENTRY_WORDS + TOTAL]! >= max
    if (entry !== -1 && !isOver) table.enter(entry, this.#slot, 1)
    table.stripes.unlock(stripe)
    if (isOver) return null
    return entry === -1 ? () => {} : () => this.#giveBack(() => this.#leave(table, low, high))
  }

  /** Gives back what a thread held when it ended. Call it before another starts under its slot. */
  releaseDead(slot: number): void {
    for (const table of Object.values(this.#tables)) table.releaseDead(slot)
  }

  #giveBack(leave: () => boolean): void {
    if (this.#owed.length > 0) this.#owed = this.#owed.filter((one) => !one())
    if (!leave()) this.#owed.push(leave)
  }

  #leave(table: CounterTable, low: number, high: number): boolean {
    const stripe = table.stripeOf(low)
    if (!table.stripes.lock(stripe)) return false
    const entry = table.peek(low, high, IN_FLIGHT)
    if (entry !== -1) table.leave(entry, this.#slot, 1)
    table.stripes.unlock(stripe)
    return true
  }
}
