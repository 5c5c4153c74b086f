/** Keys that all threads of the process remember until a time, in memory that they share. */
import { hash } from 'node:crypto'
import type { Claimed, Once } from '../ports/once.ts'

/** Places for one key. While all of them are taken, another key of the bucket cannot be remembered. */
const BUCKET = 16
const BYTES = BigInt64Array.BYTES_PER_ELEMENT
/** Room for a million tokens; the system gives memory to it as it is used. */
const PLACES = 1 << 20

/** A memory of keys as hashes. Its answers are never promises. */
export interface KeyMemory extends Once {
  claim(key: string, until: number, now: number): Claimed
  /** True while a thread remembers the key. @param now milliseconds since the epoch. */
  has(key: string, now: number): boolean
}

/** Memory for {@link openKeyMemory}, shared by all threads. `places` is a multiple of 16. */
export function createKeyMemory(places: number = PLACES): SharedArrayBuffer {
  return new SharedArrayBuffer(2 * places * BYTES)
}

/**
 * Each place is a hash and the time until which it holds. A token is written first and looked for afterwards: of two
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

  function placeOf(text: string): { key: bigint; start: number } {
    const digest = hash('sha256', text, 'buffer')
    return { key: digest.readBigInt64LE(0), start: (digest.readUInt32LE(8) % buckets) * BUCKET * 2 }
  }

  return {
    claim(text, until, now) {
      const { key, start } = placeOf(text)
      const at = BigInt(Math.floor(now))
      if (holds(start, key, at, -1)) return 'again'
      const mine = take(start, BigInt(Math.ceil(until)), at)
      if (mine === -1) return 'unavailable'
      Atomics.store(cells, mine, key)
      return holds(start, key, at, mine) ? 'again' : 'first'
    },
    has(text, now) {
      const { key, start } = placeOf(text)
      return holds(start, key, BigInt(Math.floor(now)), -1)
    },
  }
}
