/**
 * Stored values of workflows, in memory that all gateway threads share.
 *
 * 1. Bytes are written one after another into a ring; the oldest are overwritten. An entry of the table says where a value
 *    begins, by the number of bytes written before it. A value is gone when the ring has come round to it.
 * 2. Keys are identified by 128 bits of their SHA-256, so nobody can find a key that collides with the value of another.
 * 3. One lock guards table and ring. A thread waits for the lock for a bounded time. After that a value is not found, or not
 *    stored.
 * 4. A thread that died with the lock may have left half a value. The thread that takes its slot next empties the table.
 */
import { hash } from 'node:crypto'
import { isFromAhead } from '../../base/clock.ts'
import type { KeptTimes, KeptValue, KeptValues } from '../ports/memory.ts'

/** Bytes of all values. The system gives memory to them as it is used. */
const RING_BYTES = 32 * 1024 * 1024
const PLACES = 65_536
/** Places for one key: where all are taken, the value that was written first gives way. */
const BUCKET = 8

/** Of a place: four words of the key, and the length of the value. */
const WORDS = 6
const LENGTH = 4
/** Of a place: bytes written before the value, then its three times. */
const FLOATS = 4
const POSITION = 0

/** Before the table: the lock, the numbers of places and of bytes; and the bytes written so far. */
const HEAD_BYTES = 64
const LOCK = 0
const PLACE_COUNT = 1
const RING_SIZE = 2
const WRITTEN = 3

/** Of the ring, that one value may take. */
const SHARE_MAX = 1 / 4

const SPINS = 200
const NAP_MS = 1
/** A holder that is descheduled is back within milliseconds. */
const PATIENCE_MS = 20

/** Memory for {@link openKeptValues}. @param places a multiple of 8; @param ringBytes a multiple of 8 */
export function createKeptValueMemory(
  places: number = PLACES,
  ringBytes: number = RING_BYTES,
): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(HEAD_BYTES + places * (WORDS * 4 + FLOATS * 8) + ringBytes)
  const head = new Int32Array(memory, 0, 4)
  head[PLACE_COUNT] = places
  head[RING_SIZE] = ringBytes
  return memory
}

/** Attaches a thread. @param slot of its own; a replacement takes that of the thread it replaces. */
export function openKeptValues(memory: SharedArrayBuffer, slot: number): KeptValues {
  return new SharedValues(memory, slot)
}

class SharedValues implements KeptValues {
  readonly #head: Int32Array
  /** Bytes written so far. */
  readonly #written: Float64Array
  readonly #floats: Float64Array
  readonly #words: Int32Array
  readonly #ring: Uint8Array
  readonly #holder: number

  constructor(memory: SharedArrayBuffer, slot: number) {
    this.#head = new Int32Array(memory, 0, 4)
    const places = this.#head[PLACE_COUNT]!
    const wordsAt = HEAD_BYTES + places * FLOATS * 8
    const ringAt = wordsAt + places * WORDS * 4
    this.#written = new Float64Array(memory, WRITTEN * 8, 1)
    this.#floats = new Float64Array(memory, HEAD_BYTES, places * FLOATS)
    this.#words = new Int32Array(memory, wordsAt, places * WORDS)
    this.#ring = new Uint8Array(memory, ringAt, this.#head[RING_SIZE]!)
    this.#holder = slot + 1
    if (Atomics.load(this.#head, LOCK) !== this.#holder) return
    this.#words.fill(0)
    this.#unlock()
  }

  get(key: string, now: number): KeptValue | null {
    const words = wordsOf(key)
    if (!this.#lock()) return null
    const place = this.#find(words)
    const value = place === -1 ? null : this.#read(place, now)
    this.#unlock()
    return value
  }

  set(key: string, bytes: Uint8Array, { freshUntil, staleUntil, keptAt }: KeptTimes): boolean {
    if (bytes.length > this.#ring.length * SHARE_MAX) return false
    const words = wordsOf(key)
    if (!this.#lock()) return false
    const found = this.#find(words)
    const place = found === -1 ? this.#oldest(words) : found
    const position = this.#append(bytes)
    // Last, so that the place never tells of a value that is not whole
    const at = place * WORDS
    for (let word = 0; word < LENGTH; word++) this.#words[at + word] = words[word]!
    this.#words[at + LENGTH] = bytes.length + 1
    this.#floats.set([position, freshUntil, staleUntil, keptAt], place * FLOATS)
    this.#unlock()
    return true
  }

  delete(key: string): void {
    const words = wordsOf(key)
    if (!this.#lock()) return
    const place = this.#find(words)
    if (place !== -1) this.#words[place * WORDS + LENGTH] = 0
    this.#unlock()
  }

  /** The place of a key whose value is still whole; -1 for none. */
  #find(words: Int32Array): number {
    const first = this.#bucketOf(words)
    for (let place = first; place < first + BUCKET; place++) {
      const at = place * WORDS
      if (
        this.#words[at] === words[0] &&
        this.#words[at + 1] === words[1] &&
        this.#words[at + 2] === words[2] &&
        this.#words[at + 3] === words[3] &&
        this.#isWhole(place)
      )
        return place
    }
    return -1
  }

  /** Zero stands for a place without a value, so that an empty value has length 1. */
  #isWhole(place: number): boolean {
    const behind = this.#written[0]! - this.#floats[place * FLOATS + POSITION]!
    return this.#words[place * WORDS + LENGTH]! > 0 && behind <= this.#ring.length
  }

  /** The place of a bucket that is free, or whose value was written first. */
  #oldest(words: Int32Array): number {
    const first = this.#bucketOf(words)
    let oldest = first
    for (let place = first; place < first + BUCKET; place++) {
      if (!this.#isWhole(place)) return place
      if (this.#floats[place * FLOATS + POSITION]! < this.#floats[oldest * FLOATS + POSITION]!) oldest = place
    }
    return oldest
  }

  #bucketOf(words: Int32Array): number {
    return (((words[0]! ^ words[3]!) >>> 0) % (this.#head[PLACE_COUNT]! / BUCKET)) * BUCKET
  }

  #read(place: number, now: number): KeptValue | null {
    const times = this.#floats.subarray(place * FLOATS, (place + 1) * FLOATS)
    const [position, freshUntil, staleUntil, keptAt] = times
    if (now >= staleUntil! || isFromAhead(keptAt!, now)) return null
    const bytes = new Uint8Array(this.#words[place * WORDS + LENGTH]! - 1)
    const from = position! % this.#ring.length
    const rest = this.#ring.length - from
    bytes.set(this.#ring.subarray(from, Math.min(from + bytes.length, this.#ring.length)))
    if (bytes.length > rest) bytes.set(this.#ring.subarray(0, bytes.length - rest), rest)
    return { bytes, isFresh: now < freshUntil! }
  }

  /** Writes into the ring. @returns where the value begins */
  #append(bytes: Uint8Array): number {
    const position = this.#written[0]!
    const from = position % this.#ring.length
    const rest = this.#ring.length - from
    // First, so that what is overwritten is gone before
    this.#written[0] = position + bytes.length
    this.#ring.set(bytes.subarray(0, rest), from)
    if (bytes.length > rest) this.#ring.set(bytes.subarray(rest), 0)
    return position
  }

  #lock(): boolean {
    for (let spin = 0; spin < SPINS; spin++)
      if (Atomics.compareExchange(this.#head, LOCK, 0, this.#holder) === 0) return true
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const holder = Atomics.compareExchange(this.#head, LOCK, 0, this.#holder)
      if (holder === 0) return true
      if (performance.now() > deadline) return false
      Atomics.wait(this.#head, LOCK, holder, NAP_MS)
    }
  }

  #unlock(): void {
    Atomics.store(this.#head, LOCK, 0)
  }
}

/** 128 bits of a key. */
function wordsOf(key: string): Int32Array {
  const digest = hash('sha256', key, 'buffer')
  return new Int32Array([0, 4, 8, 12].map((at) => digest.readInt32LE(at)))
}
