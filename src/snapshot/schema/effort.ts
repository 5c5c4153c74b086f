import type { ErrorObject } from 'ajv'

/** References that are followed for one value before it is counted, and then for each of its parts. */
const FREE = 10_000
const PER_PART = 20

export const NO_NUMBERS: ReadonlySet<number> = new Set()

/**
 * What it costs to judge one value. Where a schema leads back into itself by several alternatives, each part of a value is
 * looked at once for each way to it, and the ways multiply with each level.
 */
export class Effort {
  #value: unknown
  #spent = 0
  #allowed = FREE
  #inexact: ReadonlySet<number> = NO_NUMBERS
  readonly #known = new Map<string, Map<object, readonly ErrorObject[]>>()

  /**
   * Judges one value; what is known of its parts is forgotten afterwards.
   * @param inexact doubles in it that stand for other numbers
   */
  run<T>(value: unknown, inexact: ReadonlySet<number>, work: () => T): T {
    this.#value = value
    this.#inexact = inexact
    this.#spent = 0
    this.#allowed = FREE
    try {
      return work()
    } finally {
      this.#value = undefined
      this.#inexact = NO_NUMBERS
      this.#known.clear()
    }
  }

  /** The double stands for a number that it does not hold exactly. */
  isInexact(value: number): boolean {
    return this.#inexact.has(value)
  }

  /** Some number of the value is not held exactly. */
  hasInexact(): boolean {
    return this.#inexact.size > 0
  }

  /** A reference is followed. True when that has happened far more often than the value has parts. */
  spend(): boolean {
    if (++this.#spent <= this.#allowed) return false
    if (this.#allowed === FREE) this.#allowed += partsOf(this.#value) * PER_PART
    return this.#spent > this.#allowed
  }

  /** What the shared schema of this name has said of parts of the value. */
  known(name: string): Map<object, readonly ErrorObject[]> {
    let known = this.#known.get(name)
    if (known === undefined) {
      known = new Map()
      this.#known.set(name, known)
    }
    return known
  }
}

function partsOf(value: unknown): number {
  if (value === null || typeof value !== 'object') return 1
  return Object.values(value).reduce<number>((sum, part) => sum + partsOf(part), 1)
}

/** Thrown in the middle of a value that is given up. */
export class TooMuch extends Error {
  override readonly name = 'TooMuch'
}
