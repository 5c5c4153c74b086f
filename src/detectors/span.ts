import type { BuiltInKind, DetectorName } from './settings.ts'

/** A place in a text, as UTF-16 code units from `start` to before `end`. It holds no part of the text. */
export interface Span {
  readonly start: number
  readonly end: number
  readonly detector: DetectorName
  /** A built-in kind, or the name of a pattern. */
  readonly kind: string
  /** From 0 to 1: how sure the detector is. */
  readonly confidence: number
}

/** What a recogniser of a built-in kind found. */
export interface Found {
  readonly start: number
  readonly end: number
  readonly kind: BuiltInKind
  readonly confidence: number
}
