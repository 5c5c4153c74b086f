/** Keys that all threads of the process remember until a time, in shared memory. */
import { hash } from 'node:crypto'
import type { Claimed, Once } from '../ports/once.ts'

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
