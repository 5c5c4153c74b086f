/** Keys that all threads of the process remember until a time, in shared memory. */
import { hash } from 'node:crypto'
import type { Events } from '../ports/events.ts'
import type { Claimed, Once, Tombstones } from '../ports/memory.ts'

/**
 * Places for one key. While all of them are taken, another key of the bucket cannot be remembered. One holder takes at most as many of a
 * bucket as then remain free (dynamic thresholds, Choudhury and Hahne 1998): there is a place for the key of the next holder.
 */
const BUCKET = 32
const BYTES = BigInt64Array.BYTES_PER_ELEMENT
/** Room for a million tokens of several holders; the system gives memory to it as it is used. */
const PLACES = 1 << 21
/** Bits of a place that name its holder. */
const HOLDER_BITS = 16
const HOLDERS = 1 << HOLDER_BITS
const HASH_BITS = BigInt(64 - HOLDER_BITS)

/** A memory of keys as hashes. Its answers are never promises. */
export interface KeyMemory extends Once {
  claim(key: string, until: number, now: number, holder?: string): Claimed
  /** True while a thread remembers the key. @param now milliseconds since the epoch. @param holder as it was claimed for */
  has(key: string, now: number, holder?: string): boolean
  /** Takes a claim back, whose key was not used after all. @param holder as it was claimed for */
  forget(key: string, holder?: string): void
}

/**
 * Keys that processes remember together, each in front of its own memory. What the memory of this process knows is answered at once, and
 * its bounds hold for what this process asks of the others.
 * @param shared the memory of all processes
 */
export function createSharedOnce(own: KeyMemory, shared: Once): Once {
  return {
    claim(key, until, now, holder) {
      const claimed = own.claim(key, until, now, holder)
      if (claimed !== 'first') return claimed
      return Promise.resolve(shared.claim(key, until, now)).then((settled) => {
        // Whoever asks again later is not told that the key was used
        if (settled === 'unavailable') own.forget(key, holder)
        return settled
      })
    },
  }
}

/** Memory for {@link openKeyMemory}, shared by all threads. `places` is a multiple of 32. */
export function createKeyMemory(places: number = PLACES): SharedArrayBuffer {
  return new SharedArrayBuffer(2 * places * BYTES)
}

/**
 * Each place is a hash, whose first bits are of the holder, and the time until which it holds. A token is written first and looked for afterwards: of two
 * threads that claim one token at once, at least one finds the other's place, and at worst both are told `again`.
 */
export function openKeyMemory(memory: SharedArrayBuffer): KeyMemory {
  const cells = new BigInt64Array(memory)
  const buckets = cells.length / 2 / BUCKET

  /** A place of the bucket that is free or whose token has expired, taken until `until`; -1 when there is none. */
  function take(start: number, until: bigint, now: bigint): number {
    for (let at = start; at < start + 2 * BUCKET; at += 2) {
      const expires = Atomics.load(cells, at + 1)
      if (expires <= now && Atomics.compareExchange(cells, at + 1, expires, until) === expires) return at
    }
    return -1
  }

  /** Another place than `mine` holds the key. */
  function holds(start: number, key: bigint, now: bigint, mine: number): boolean {
    for (let at = start; at < start + 2 * BUCKET; at += 2)
      if (at !== mine && Atomics.load(cells, at) === key && Atomics.load(cells, at + 1) > now) return true
    return false
  }

  /** Whether a key that no place has may take one. Threads that ask at once may take one more each. */
  function lookUp(start: number, key: bigint, of: bigint, now: bigint): Claimed {
    let [own, free] = [0, 0]
    for (let at = start; at < start + 2 * BUCKET; at += 2) {
      if (Atomics.load(cells, at + 1) <= now) {
        free++
        continue
      }
      const taken = Atomics.load(cells, at)
      if (taken === key) return 'again'
      if (of !== 0n && taken >> HASH_BITS === of) own++
    }
    return own < free ? 'first' : 'unavailable'
  }

  function placeOf(text: string, of: bigint): { key: bigint; start: number } {
    const digest = hash('sha256', text, 'buffer')
    const key = (of << HASH_BITS) | BigInt.asUintN(64 - HOLDER_BITS, digest.readBigInt64LE(0))
    return { key, start: (digest.readUInt32LE(8) % buckets) * BUCKET * 2 }
  }

  return {
    claim(text, until, now, holder = '') {
      const of = numberOf(holder)
      const { key, start } = placeOf(text, of)
      const at = BigInt(Math.floor(now))
      const found = lookUp(start, key, of, at)
      if (found !== 'first') return found
      const mine = take(start, BigInt(Math.ceil(until)), at)
      if (mine === -1) return 'unavailable'
      Atomics.store(cells, mine, key)
      return holds(start, key, at, mine) ? 'again' : 'first'
    },
    has(text, now, holder = '') {
      const { key, start } = placeOf(text, numberOf(holder))
      return holds(start, key, BigInt(Math.floor(now)), -1)
    },
    forget(text, holder = '') {
      const { key, start } = placeOf(text, numberOf(holder))
      for (let at = start; at < start + 2 * BUCKET; at += 2) {
        const expires = Atomics.load(cells, at + 1)
        if (Atomics.load(cells, at) === key) Atomics.compareExchange(cells, at + 1, expires, 0n)
      }
    },
  }
}

/** The holder that was asked for last: calls of one follow each other. */
let last = { holder: '', number: 0n }

/** Names a holder by {@link HOLDER_BITS} bits, as the first bits of a signed number; 0 for none. */
function numberOf(holder: string): bigint {
  if (holder === '') return 0n
  if (holder !== last.holder) {
    const number = 1 + (hash('sha256', holder, 'buffer').readUInt32LE(0) % (HOLDERS - 1))
    last = { holder, number: BigInt.asIntN(HOLDER_BITS, BigInt(number)) }
  }
  return last.number
}

// Ids of revoked grants and ended accounts, in memory that all threads of the process share.

export interface EndedIds {
  /** Notes that threads were told that some id counts. Times are milliseconds since the epoch. */
  vouched(now: number): void
  /**
   * Remembers the end of an id. @param lifeMs for which a thread counts on what it was told. The clock may have been set back since: it is
   * remembered for as long after the latest time of {@link vouched} as after now
   */
  end(id: string, lifeMs: number, now: number): Claimed
  /** True while the end of the id is remembered. */
  has(id: string, now: number): boolean
  /**
   * Grows whenever the end of an id found no place. Nobody can say then which ids have ended: what was asked of the main thread while the
   * number was another one counts no longer, and is asked again.
   */
  epoch(): number
}

/** Memory for the epoch of {@link openEndedIds}, shared by all threads. */
export function createEpochCell(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
}

/** @param keys of createKeyMemory */
export function openEndedIds(keys: SharedArrayBuffer, epochCell: SharedArrayBuffer): EndedIds {
  const ended = openKeyMemory(keys)
  const epoch = new Int32Array(epochCell)
  let latest = 0
  return {
    vouched(now) {
      latest = Math.max(latest, now)
    },
    end(id, lifeMs, now) {
      const claimed = ended.claim(id, Math.max(latest, now) + lifeMs, now)
      if (claimed === 'unavailable') Atomics.add(epoch, 0, 1)
      return claimed
    },
    has: (id, now) => ended.has(id, now),
    epoch: () => Atomics.load(epoch, 0),
  }
}

/** Places in the table; a power of two. Each is 64 bits of a hash. */
const HASHES = 8192
/** Neighbours looked at for one entry; when all are taken the first is overwritten: that end is forgotten, nothing else. */
const PROBE = 8

/** Memory for {@link createTombstones}, shared by all threads. */
export function createTombstoneCells(): SharedArrayBuffer {
  return new SharedArrayBuffer(HASHES * BigInt64Array.BYTES_PER_ELEMENT)
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
    const start = Number(BigInt.asUintN(32, key)) % HASHES
    for (let i = 0; i < PROBE; i++) {
      const before = Atomics.compareExchange(cells, (start + i) % HASHES, 0n, key)
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
      const start = Number(BigInt.asUintN(32, key)) % HASHES
      for (let i = 0; i < PROBE; i++) if (Atomics.load(cells, (start + i) % HASHES) === key) return true
      return false
    },
  }
}
