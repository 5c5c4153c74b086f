/**
 * Values that callers choose (an address, a header, a claim) are counted in a table of their own. A client may take a
 * new entry only while it holds fewer entries than are free, so one client can use at most half of the table.
 */
import { STRIPES } from './stripe-locks.ts'

/** Owner of an entry that nobody holds. */
export const FREE = 0
/** Owner of entries that count for no share. */
export const NOBODY = 1

/**
 * Owners are told apart by as many values of the upper bits of their hashes, which callers do not choose. Those that meet
 * have one share together.
 */
const OWNER_BITS = 12
const TAKEN = 1 << OWNER_BITS
const UNBOUND = TAKEN + 1
const COUNTED_AT = TAKEN + 2
const STRIPE_WORDS = TAKEN + 16
export const SHARE_WORDS = STRIPES * STRIPE_WORDS

/**
 * How many entries of each stripe an owner holds. It takes a new one only while it holds fewer than are free: one owner
 * gets half of the table, those who fill it together as much each as they leave free, those who come one after the other
 * half of what is left. Whoever holds little finds a place.
 *
 * Keys lie evenly over the stripes, so that nothing is shared between them: all of a stripe is read and written under
 * its lock. An entry that has expired is held until its stripe is counted again.
 */
export class Shares {
  readonly #words: Int32Array
  readonly #perStripe: number

  constructor(words: Int32Array, perStripe: number) {
    this.#words = words
    this.#perStripe = perStripe
  }

  mayTake(stripe: number, owner: number): boolean {
    const at = stripe * STRIPE_WORDS
    return this.#words[at + bucketOf(owner)]! < this.#perStripe - this.#words[at + TAKEN]!
  }

  /** An entry changes its owner. */
  move(stripe: number, from: number, to: number): void {
    this.#add(stripe, from, -1)
    this.#add(stripe, to, 1)
  }

  #add(stripe: number, owner: number, count: number): void {
    if (owner === FREE) return
    const at = stripe * STRIPE_WORDS
    const bucket = at + bucketOf(owner)
    this.#words[bucket] = this.#words[bucket]! + count
    this.#words[at + TAKEN] = this.#words[at + TAKEN]! + count
  }

  /** True once in each second: all entries of the stripe are looked at, which a flood of new keys must not cause each time. */
  isDue(stripe: number, now: number): boolean {
    return this.#words[stripe * STRIPE_WORDS + COUNTED_AT] !== secondOf(now)
  }

  /** Nothing is held; what is follows by {@link move}. */
  clear(stripe: number, now: number): void {
    const at = stripe * STRIPE_WORDS
    this.#words.fill(0, at, at + STRIPE_WORDS)
    this.#words[at + COUNTED_AT] = secondOf(now)
  }
}

function bucketOf(owner: number): number {
  return owner === NOBODY ? UNBOUND : owner >>> (32 - OWNER_BITS)
}

function secondOf(now: number): number {
  return Math.floor(now / 1000) | 0
}
