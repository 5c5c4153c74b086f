import type { Evaluation } from './evaluation.ts'

/** A function of expressions that give values. */
export interface FunctionType {
  /** How often it takes arguments; a method counts its receiver. */
  readonly takes: readonly number[]
  /** Types for the checker of the language, without those that it has by itself. */
  readonly signatures: readonly string[]
  /** Pays for the size of what it takes and gives. Changes nothing that it is given. */
  readonly call: (run: Evaluation, given: readonly unknown[]) => unknown
}
