/** What it costs to judge one value. Every schema that is applied to a part counts, also in branches that fail. */

/** Steps for one value before its parts are counted. A step is one schema applied to one part, or about as much other work. */
const FREE = 100_000
/** Further steps for each part of the value. Public descriptions need fewer than ten. */
const PER_PART = 50
/** Schemas within each other on the way to a part, so that the stack of the thread is never used up. */
const DEPTH_MAX = 1000

export const NO_NUMBERS: ReadonlySet<number> = new Set()

/** Thrown in the middle of a value that is given up. */
export class TooMuch extends Error {
  override readonly name = 'TooMuch'
}

/** One value that is judged: the steps it may still take, and what is known of its parts. */
export class Effort {
  readonly #value: unknown
  readonly #inexact: ReadonlySet<number>
  #allowed = FREE
  #left = FREE
  #depth = 0
  readonly #known = new Map<object, Map<object, boolean>>()

  /** @param inexact doubles in the value that stand for numbers that they do not hold exactly */
  constructor(value: unknown, inexact: ReadonlySet<number>) {
    this.#value = value
    this.#inexact = inexact
  }

  /** Steps that were taken so far. */
  get spent(): number {
    return this.#allowed - this.#left
  }

  /** Throws {@link TooMuch} when the value is not worth these further steps. */
  spend(steps: number): void {
    this.#left -= steps
    if (this.#left < 0) this.#allowMore()
  }

  /** Counts the parts of the value, once. */
  #allowMore(): void {
    if (this.#allowed === FREE) {
      const more = partsOf(this.#value) * PER_PART
      this.#allowed += more
      this.#left += more
    }
    if (this.#left < 0) throw new TooMuch()
  }

  enter(): void {
    if (++this.#depth > DEPTH_MAX) throw new TooMuch()
  }

  leave(): void {
    this.#depth--
  }

  /** The double stands for a number that it does not hold exactly. */
  isInexact(value: number): boolean {
    return this.#inexact.has(value)
  }

  /** Some number of the value is not held exactly. */
  hasInexact(): boolean {
    return this.#inexact.size > 0
  }

  /** What a schema that references lead to has said of parts of the value. */
  known(schema: object): Map<object, boolean> {
    let known = this.#known.get(schema)
    if (known === undefined) {
      known = new Map()
      this.#known.set(schema, known)
    }
    return known
  }
}

/** Values in a value, itself included. */
function partsOf(value: unknown): number {
  if (value === null || typeof value !== 'object') return 1
  return Object.values(value).reduce<number>((sum, part) => sum + partsOf(part), 1)
}
