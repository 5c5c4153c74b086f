/** What the steps of an expression share: the steps left, what ends an evaluation, and the places of outside values. */

/** Characters of text that cost one step. */
const CHARS_PER_STEP = 1024
/** Characters of a text that a function makes. */
const TEXT_CHARS_MAX = 1024 * 1024

/** What an expression takes from outside of its values. Tests set them by hand. */
export interface Ambient {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now(): number
  /** From 0, and less than 1. */
  random(): number
  /** A UUID of version 4 (RFC 9562). */
  uuid(): string
  /** Steps that expressions may take beside those of others; absent where each has its own alone. */
  readonly budget?: StepBudget
}

/** Steps that several evaluations share. */
export interface StepBudget {
  /** Left. */
  steps: number
}

/** One evaluation. */
export interface Evaluation {
  readonly values: Readonly<Record<string, unknown>>
  /** Values of the names of macros, outermost first. */
  readonly slots: unknown[]
  /** An integer and a double may be operands of one operator: JSON does not tell them apart. */
  readonly mixes: boolean
  /** Null where an expression may read neither the clock nor chance. */
  readonly ambient: Ambient | null
  /** Lists and objects that the evaluation has made: they may hold what JSON does not know. Null before the first. */
  made: Set<object> | null
  steps: number
}

/** Why an evaluation ended without a value. No stack: it is no bug. */
export class Halt {
  readonly why: 'undecided' | 'failed' | 'spent'
  /** For the author of the expression. */
  readonly reason: string
  constructor(
    why: 'undecided' | 'failed' | 'spent',
    reason = 'a function or an operator got a value that it does not take',
  ) {
    this.why = why
    this.reason = reason
  }
}
export const WAITS = new Halt('undecided')
export const FAILED = new Halt('failed')
export const SPENT = new Halt('spent', 'it takes too many steps')

/** Ends the evaluation with a reason for the author of the expression. */
export function failed(reason: string): never {
  throw new Halt('failed', reason)
}

export function spend(run: Evaluation, steps: number): void {
  run.steps -= steps
  if (run.steps < 0) throw SPENT
}

/** Text on which a function works, paid by its length. */
export function text(run: Evaluation, value: unknown): string {
  if (typeof value !== 'string') throw FAILED
  spend(run, stepsOfText(value.length))
  return value
}

/** Steps that a text of so many characters costs. */
export function stepsOfText(chars: number): number {
  return Math.floor(chars / CHARS_PER_STEP)
}

/** Pays for a text of so many characters before it is made. */
export function payText(run: Evaluation, chars: number): void {
  if (chars > TEXT_CHARS_MAX) failed('a text is longer than 1 MiB')
  spend(run, stepsOfText(chars))
}

/**
 * Pays for the search of a text in another one. An engine may compare the whole part at many places, so the lengths multiply.
 */
export function paySearch(run: Evaluation, whole: string, part: string): void {
  spend(run, stepsOfText(whole.length) * stepsOfText(part.length))
}

/** A list that a function takes, paid by its length. */
export function list(run: Evaluation, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw FAILED
  spend(run, value.length)
  return value
}

/** Notes a list or an object that the evaluation has made, and that nothing else refers to. */
export function made<T extends object>(run: Evaluation, value: T): T {
  if (!run.mixes) return value
  run.made ??= new Set()
  run.made.add(value)
  return value
}

/** A whole number that a function takes, from `min` to `max`. */
export function wholeNumber(value: unknown, min: number, max: number): number {
  const number = typeof value === 'bigint' ? Number(value) : value
  if (typeof number !== 'number' || !Number.isInteger(number)) throw FAILED
  if (number < min || number > max) failed(`${number} is not from ${min} to ${max}`)
  return number
}

export function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

/** An integer has 64 bits. */
export function withinInt(value: bigint): bigint {
  if (BigInt.asIntN(64, value) !== value) throw FAILED
  return value
}

/** A function of expressions that give values. */
export interface FunctionType {
  /** How often it takes arguments; a method counts its receiver. */
  readonly takes: readonly number[]
  /** Types for the checker of the language, without those that it has by itself. */
  readonly signatures: readonly string[]
  /** Pays for the size of what it takes and gives. Changes nothing that it is given. */
  readonly call: (run: Evaluation, given: readonly unknown[]) => unknown
}
