/** The keys of counters: 64 bits of a limit and its subject. */
import { hash } from 'node:crypto'

/** Half of a counter's key; two halves are mixed for each request. */
export interface LimitKey {
  readonly low: number
  readonly high: number
}

/**
 * 64 bits of a text in two 32-bit lanes with different multipliers. Not cryptographic: the texts are ids and
 * names of the configuration, which callers do not choose.
 */
export function limitKeyOf(text: string): LimitKey {
  let low = 0x9e3779b9 | 0
  let high = 0x85ebca6b | 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    low = Math.imul(low ^ code, 0x9e3779b1)
    high = Math.imul(high ^ code, 0x5f356495)
    low ^= low >>> 15
    high ^= high >>> 13
  }
  return { low: scatter(low ^ (high >>> 16)), high: scatter(high ^ (low >>> 15)) }
}

/** Finaliser of MurmurHash3: every bit of the input moves every bit of the output. */
export function scatter(value: number): number {
  let mixed = value ^ (value >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

/** The key of the counter of a limit for one subject. */
export function counterKeyOf(limit: LimitKey, subject: LimitKey): LimitKey {
  return {
    // A key of two zeros marks an empty entry.
    low: scatter(limit.low ^ subject.low) || 1,
    high: scatter((limit.high ^ subject.high) + Math.imul(subject.low, 0x27d4eb2f)),
  }
}

/** A subject within a place, such as a client within a collection. */
export function within(place: LimitKey, subject: LimitKey): LimitKey {
  return {
    low: place.low ^ Math.imul(subject.low, 0x2c1b3c6d),
    high: place.high ^ Math.imul(subject.high, 0x297a2d39),
  }
}

/**
 * The subject of a value that callers choose. Unlike {@link limitKeyOf} nobody can find a value that meets the counter of
 * somebody else.
 */
export function chosenKeyOf(text: string): LimitKey {
  const digest = hash('sha256', text, 'buffer')
  return { low: digest.readInt32LE(0), high: digest.readInt32LE(4) }
}
