/** The steps that one judgement may take. */
import { isDeep, pointerTo } from '../../base/json/storable.ts'
import type { FieldError } from '../../base/refusal.ts'

/** Steps that the smallest value may take. One step is one keyword at one part of the value, whether it fits or not. */
export const FREE_STEPS = 100_000
/** Further steps for each part of the value; long texts count as several parts. */
const STEPS_PER_PART = 100
/** Most further steps, except that a large value always has `LARGE_STEPS_PER_PART` steps for each part. */
const FURTHER_STEPS_MAX = 5_000_000
const LARGE_STEPS_PER_PART = 24
/** Characters of a text that count as one part. */
const CHARACTERS_PER_PART = 8
/** Schemas that one judgement is inside of at the same time. Each takes up to six frames of the stack. */
const DEPTH_MAX = 700
/** From this number of steps on, the results of references are remembered. */
const REMEMBER_FROM = 2000
/** Most results that are remembered. */
const REMEMBERED_MAX = 100_000
/** Errors that are gathered for one value; many say the same. */
const GATHERED_MAX = 80
const POINTER_MAX = 512
const REASON_MAX = 300

export const NO_NUMBERS: ReadonlySet<number> = new Set()

/**
 * What is looked for: only whether the value fits; the first error; or all errors.
 */
export type Goal = 'fits' | 'first' | 'all'

/** Properties and items of one object or list that some schema has judged, for `unevaluatedProperties` and `unevaluatedItems`. */
export class Evaluated {
  readonly names = new Set<string>()
  allNames = false
  /** Items before this index. */
  items = 0
  readonly indexes = new Set<number>()

  add(other: Evaluated, effort: Effort): void {
    effort.spend(other.names.size + other.indexes.size)
    for (const name of other.names) this.names.add(name)
    for (const index of other.indexes) this.indexes.add(index)
    this.allNames ||= other.allNames
    this.items = Math.max(this.items, other.items)
  }
}

interface Remembered {
  readonly fits: boolean
  /** The first error; null when none was looked for. */
  readonly error: FieldError | null
}

/**
 * The state of one judgement, and its bounds. Every keyword spends steps before it looks at the value, so branches that
 * fail count like those that succeed. A judgement over its bound ends with {@link TooMuch}.
 *
 * A reference gives the same result for the same part of a value. Results are remembered, so a schema that leads
 * back to itself in several ways takes a number of steps that is linear in the value.
 */
export class Effort {
  goal: Goal = 'fits'
  /** Collects what in-place schemas have evaluated; null when nothing asks for it. */
  evaluated: Evaluated | null = null
  readonly path: PropertyKey[] = []
  #errors: FieldError[] = []
  #value: unknown
  #spent = 0
  #allowed = FREE_STEPS
  #isExtended = false
  #depth = 0
  #inexact: ReadonlySet<number> = NO_NUMBERS
  #remembered = 0
  readonly #known = new Map<object, Map<unknown, Remembered>>()

  /**
   * Judges one value. Afterwards the state is empty, except for `spent` and the errors.
   * @param inexact doubles in the value that stand for other numbers
   * @throws TooMuch when the bound of steps or depth is reached
   */
  run(value: unknown, inexact: ReadonlySet<number>, goal: Goal, work: () => boolean): boolean {
    this.goal = goal
    this.evaluated = null
    this.path.length = 0
    this.#errors = []
    this.#value = value
    this.#inexact = inexact
    this.#spent = 0
    this.#allowed = FREE_STEPS
    this.#isExtended = false
    this.#depth = 0
    try {
      return work()
    } finally {
      this.#value = undefined
      this.#inexact = NO_NUMBERS
      if (this.#remembered > 0) {
        this.#remembered = 0
        this.#known.clear()
      }
    }
  }

  /** Steps of the last judgement. */
  get spent(): number {
    return this.#spent
  }

  get errors(): readonly FieldError[] {
    return this.#errors
  }

  spend(steps: number): void {
    this.#spent += steps
    if (this.#spent > this.#allowed) this.#extend()
  }

  /** One more schema inside of others. */
  enter(): void {
    if (++this.#depth > DEPTH_MAX) throw new TooMuch()
  }

  /** Before a value is written as JSON, which exhausts the stack with one that is nested without end. @throws TooMuch */
  demandShallow(value: object): void {
    if (isDeep(value, DEPTH_MAX)) throw new TooMuch()
  }

  leave(): void {
    this.#depth--
  }

  #extend(): void {
    if (!this.#isExtended) {
      this.#isExtended = true
      const parts = partsOf(this.#value)
      this.#allowed += furtherSteps(parts)
    }
    if (this.#spent > this.#allowed) throw new TooMuch()
  }

  /** The next keyword of a schema need not be looked at, since one has failed. */
  get isDecided(): boolean {
    return this.goal !== 'all' || this.#errors.length >= GATHERED_MAX
  }

  /** Notes an error at the current place, when errors are looked for. Always false. */
  fail(reason: string, ...tokens: readonly PropertyKey[]): false {
    if (this.goal !== 'fits' && this.#errors.length < GATHERED_MAX)
      this.#errors.push({ pointer: this.#pointer(tokens), reason: reason.slice(0, REASON_MAX) })
    return false
  }

  /** Errors so far, to come back to with {@link forgetErrors}. */
  get errorCount(): number {
    return this.#errors.length
  }

  /** Drops errors of alternatives that do not matter, because another one fits. */
  forgetErrors(count: number): void {
    this.#errors.length = count
  }

  #pointer(tokens: readonly PropertyKey[]): string {
    let pointer = ''
    for (const token of [...this.path, ...tokens]) {
      // Sliced before it is escaped: a name may have millions of characters
      pointer = pointerTo(pointer, typeof token === 'string' ? token.slice(0, POINTER_MAX) : token)
      if (pointer.length > POINTER_MAX) return pointer.slice(0, POINTER_MAX)
    }
    return pointer
  }

  /** The double stands for a number that it does not hold exactly. */
  isInexact(value: number): boolean {
    return this.#inexact.has(value)
  }

  /** Some number of the value is not held exactly. */
  hasInexact(): boolean {
    return this.#inexact.size > 0
  }

  /** Judges by the schema that a reference leads to, or remembers what it said of the same part of the value. */
  remembered(target: object, value: unknown, judge: () => boolean): boolean {
    // What was evaluated is not remembered
    if (this.#spent < REMEMBER_FROM || this.evaluated !== null) return judge()
    let results = this.#known.get(target)
    if (results === undefined) {
      results = new Map()
      this.#known.set(target, results)
    }
    const known = results.get(value)
    if (known !== undefined) {
      if (known.fits || this.goal === 'fits') return known.fits
      if (known.error !== null) {
        if (this.#errors.length < GATHERED_MAX) this.#errors.push(known.error)
        return false
      }
    }
    const before = this.#errors.length
    const fits = judge()
    const error = this.goal === 'fits' || fits ? null : (this.#errors[before] ?? this.#errors.at(-1) ?? null)
    if (this.#remembered++ < REMEMBERED_MAX) results.set(value, { fits, error })
    return fits
  }
}

/** Most steps that a value of this many parts may take beyond the free ones. */
function furtherSteps(parts: number): number {
  return Math.min(parts * STEPS_PER_PART, Math.max(FURTHER_STEPS_MAX, parts * LARGE_STEPS_PER_PART))
}

/** Most steps that judging this value takes. */
export function stepsMax(value: unknown): number {
  return FREE_STEPS + furtherSteps(partsOf(value))
}

function partsOf(value: unknown): number {
  if (typeof value === 'string') return 1 + Math.floor(value.length / CHARACTERS_PER_PART)
  if (value === null || typeof value !== 'object') return 1
  let parts = 1
  if (Array.isArray(value)) for (const item of value) parts += partsOf(item)
  else
    for (const [name, member] of Object.entries(value))
      parts += partsOf(member) + Math.floor(name.length / CHARACTERS_PER_PART)
  return parts
}

/** Thrown in the middle of a value that is given up. */
export class TooMuch extends Error {
  override readonly name = 'TooMuch'
}
