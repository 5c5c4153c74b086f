/**
 * Spin locks in shared memory, one for each stripe of the counter table.
 *
 * 1. A lock word is 0 or names its holder: thread slot and the epoch in which that slot attached.
 * 2. Several stripes are taken in ascending order, so two threads never wait for each other.
 * 3. What a holder did under the lock of a stripe can be repaired: a thread may be terminated at any instruction.
 */
export const STRIPES = 32
/** Threads that can attach: slots 0 to 126. */
export const SLOTS_MAX = 127
/** Words between two locks, so that they do not share a cache line. The rest of the line belongs to the holder. */
export const SPACING = 16
export const LOCK_WORDS = STRIPES * SPACING

const SPINS = 200
const NAP_MS = 1
/** A holder that is descheduled is back within milliseconds; a dead one is reported within this. */
const PATIENCE_MS = 1000

/** The locks as one thread takes them. */
export class Stripes {
  readonly #locks: Int32Array
  readonly #word: number

  /** Attaches a thread. What an earlier thread of the slot held is not its own; see {@link release}. */
  constructor(locks: Int32Array, epochs: Int32Array, slot: number) {
    if (!Number.isInteger(slot) || slot < 0 || slot >= SLOTS_MAX)
      throw new RangeError(`a thread slot is 0 to ${SLOTS_MAX - 1}`)
    this.#locks = locks
    this.#word = wordOf(slot, Atomics.add(epochs, slot, 1) + 1)
  }

  /** Locks the stripes whose bits are set. False when one could not be had in time; then none is held. */
  lock(stripes: number): boolean {
    let rest = stripes
    while (rest !== 0) {
      const bit = rest & -rest
      if (!this.#lockOne(31 - Math.clz32(bit))) {
        this.unlock(stripes ^ rest)
        return false
      }
      rest ^= bit
    }
    return true
  }

  unlock(stripes: number): void {
    let rest = stripes
    while (rest !== 0) {
      const bit = rest & -rest
      Atomics.store(this.#locks, (31 - Math.clz32(bit)) * SPACING, 0)
      rest ^= bit
    }
  }

  #lockOne(stripe: number): boolean {
    const at = stripe * SPACING
    for (let i = 0; i < SPINS; i++)
      if (Atomics.compareExchange(this.#locks, at, 0, this.#word) === 0) return true
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const holder = Atomics.compareExchange(this.#locks, at, 0, this.#word)
      if (holder === 0) return true
      if (performance.now() > deadline) return false
      Atomics.wait(this.#locks, at, holder, NAP_MS)
    }
  }

  /**
   * Breaks the locks of a thread that has ended: those of an earlier thread of this slot, or all of another slot, which
   * must be asked for before a new thread attaches there.
   * @param repair makes the stripe consistent; runs while this thread holds its lock.
   */
  release(slot: number, repair: (stripe: number) => void): number {
    let broken = 0
    for (let stripe = 0; stripe < STRIPES; stripe++) {
      const at = stripe * SPACING
      const holder = Atomics.load(this.#locks, at)
      if (holder === this.#word || (holder & 0xff) !== slot + 1) continue
      if (Atomics.compareExchange(this.#locks, at, holder, this.#word) !== holder) continue
      repair(stripe)
      Atomics.store(this.#locks, at, 0)
      broken++
    }
    return broken
  }
}

function wordOf(slot: number, epoch: number): number {
  return ((epoch & 0x7f_ffff) << 8) | (slot + 1)
}
