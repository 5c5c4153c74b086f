/**
 * Counts the bytes that a gateway thread keeps for callers: request bodies, responses that are held back or copied, and
 * unread data of HTTP/2 streams. The main thread counts the bodies of management in the same way, by principal.
 *
 * 1. A caller may keep more while it holds no more than remains free: a single caller gets one half, two callers one third
 *    each. Responses to calls that were already made may take twice as much, small reservations eight times as much.
 * 2. A module that collects bytes of a peer takes a `ByteBudget`, and counts in it before it keeps the bytes, in blocks
 *    (`base/memory/bytes`).
 * 3. A whole response leaves in pieces, as fast as its caller takes them.
 */

import { totalmem } from 'node:os'
import type { Reservation } from '../base/memory/bytes.ts'

/** Bytes of bodies and answers that one thread keeps in memory for callers, where it has the memory. */
export const CALLER_MEMORY_MAX = 256 * 1024 * 1024
/** A reservation up to this size passes while others are refused: ordinary messages are smaller. */
export const SMALL_BYTES_MAX = 65_536
/** How many times what is then free a holder may have when it takes more. */
const SHARE = 1
/** Of an answer: the call was made, and is lost without it. */
const ANSWER_SHARE = 2
const SMALL_SHARE = 8

/**
 * What one thread keeps in memory for those who call: bodies that are gathered, answers that are held back or wait to be
 * read. The bound of each holder moves with what is free (dynamic thresholds, Choudhury and Hahne 1998): it may take more
 * while what it then has is no more than what is then left. One alone gets half, two get a third each, and there is
 * always room for the next. Answers to calls that were made leave a third, small reservations a ninth.
 */
export class CallerMemory {
  readonly bytesMax: number
  #bytes = 0
  /** Of those who hold something. */
  readonly #holders = new Map<string, number>()

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /** Bytes that all holders have taken. */
  get bytes(): number {
    return this.#bytes
  }

  /** Those who hold something. */
  get holders(): number {
    return this.#holders.size
  }

  /** What one request or connection of a holder keeps; {@link MemoryReservation.release} ends it. */
  open(holder: string): MemoryReservation {
    return new MemoryReservation(this, holder)
  }

  /** @param share times what is free that the holder may then have. @param bytes at least 1. Called by reservations alone. */
  take(holder: string, share: number, bytes: number): boolean {
    const own = (this.#holders.get(holder) ?? 0) + bytes
    const free = this.bytesMax - this.#bytes - bytes
    if (own > share * free) return false
    this.#holders.set(holder, own)
    this.#bytes += bytes
    return true
  }

  /** Called by reservations alone. */
  give(holder: string, bytes: number): void {
    const own = this.#holders.get(holder)! - bytes
    if (own === 0) this.#holders.delete(holder)
    else this.#holders.set(holder, own)
    this.#bytes -= bytes
  }
}

/** A part of {@link CallerMemory} that ends as a whole. */
export class MemoryReservation implements Reservation {
  readonly #all: CallerMemory
  readonly #holder: string
  #bytes = 0
  #share = SHARE
  #isOver = false

  constructor(all: CallerMemory, holder: string) {
    this.#all = all
    this.#holder = holder
  }

  /** False from {@link release} on: nobody is left to keep anything for. */
  take(bytes: number): boolean {
    if (bytes === 0) return true
    const share = this.#bytes + bytes <= SMALL_BYTES_MAX ? SMALL_SHARE : this.#share
    if (this.#isOver || !this.#all.take(this.#holder, share, bytes)) return false
    this.#bytes += bytes
    return true
  }

  give(bytes: number): void {
    if (bytes === 0 || this.#isOver) return
    this.#bytes -= bytes
    this.#all.give(this.#holder, bytes)
  }

  /** What is taken from here on is the answer to a call that is made. */
  answers(): void {
    this.#share = ANSWER_SHARE
  }

  release(): void {
    this.give(this.#bytes)
    this.#isOver = true
  }
}

/** One caller alone gets half, which must take a body of the usual bound. */
const LEAST_BYTES_MAX = 32 * 1024 * 1024

/**
 * What one of so many gateway threads may keep in memory for callers: all together a quarter of what the machine, or the
 * container, has.
 */
export function callerMemoryMax(threads: number): number {
  // 0 where the system does not tell, more than there is where nothing is set
  const memory = Math.min(process.constrainedMemory() || Infinity, totalmem())
  return Math.max(LEAST_BYTES_MAX, Math.min(CALLER_MEMORY_MAX, Math.floor(memory / 4 / threads)))
}
