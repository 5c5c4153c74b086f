import { hash } from 'node:crypto'
import type { Events } from '../ports/events.ts'
import type { Tombstones } from '../ports/tombstones.ts'

/** Places in the table; a power of two. Each is 64 bits of a hash. */
const PLACES = 8192
/** Neighbours looked at for one entry; when all are taken the first is overwritten: that end is forgotten, nothing else. */
const PROBE = 8

/** Memory for {@link createTombstones}, shared by all threads. */
export function createTombstoneCells(): SharedArrayBuffer {
  return new SharedArrayBuffer(PLACES * BigInt64Array.BYTES_PER_ELEMENT)
}

/**
 * The ended MCP sessions of all threads. A session id carries its whole state, so ending one means remembering it:
 * bounded; a forgotten one works again until its own expiry, and never for anyone but its owner.
 * @param events carries the ends to processes that do not share the cells.
 */
export function createTombstones(shared: SharedArrayBuffer, events: Events): Tombstones {
  const cells = new BigInt64Array(shared)

  function keyOf(id: string): bigint {
    const key = BigInt.asIntN(64, BigInt(`0x${hash('sha256', id, 'hex').slice(0, 16)}`))
    return key === 0n ? 1n : key
  }

  function remember(id: string): void {
    const key = keyOf(id)
    const start = Number(BigInt.asUintN(32, key)) % PLACES
    for (let i = 0; i < PROBE; i++) {
      const before = Atomics.compareExchange(cells, (start + i) % PLACES, 0n, key)
      if (before === 0n || before === key) return
    }
    Atomics.store(cells, start, key)
  }

  events.subscribe('session_ended', remember)

  return {
    add(id) {
      remember(id)
      events.publish({ topic: 'session_ended', text: id })
    },
    has(id) {
      const key = keyOf(id)
      const start = Number(BigInt.asUintN(32, key)) % PLACES
      for (let i = 0; i < PROBE; i++) if (Atomics.load(cells, (start + i) % PLACES) === key) return true
      return false
    },
  }
}
