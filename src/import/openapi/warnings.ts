import type { FieldError } from '../../base/refusal.ts'
import { boundedPointer } from '../text/plain-data.ts'

/** Warnings that are listed one by one; further ones are only counted. */
const WARNINGS_MAX = 200
const REASON_MAX = 2000

/** Notes what is imported differently from what the description says. */
export type Warn = (pointer: string, reason: string) => void

/** A keyword of the description that no request is held to. */
export interface NotEnforced extends FieldError {
  readonly keyword: string
}

/** Notes a keyword that cannot be judged exactly, or whose meaning is not settled; the pointer leads to it. */
export type Leave = (pointer: string, keyword: string, reason: string) => void

/**
 * Collects warnings, and keywords that are not enforced; the same one is kept once.
 * @param sourceOf place in the source of a place in the description that is read
 */
export function createWarnings(sourceOf: (pointer: string) => string): {
  warn: Warn
  /** Notes a place of the source itself. */
  note: Warn
  leave: Leave
  list: () => FieldError[]
  notEnforced: () => NotEnforced[]
} {
  const warnings = createList<FieldError>()
  const left = createList<NotEnforced>()
  return {
    warn: (pointer, reason) => warnings.add({ pointer: sourceOf(pointer), reason }),
    note: (pointer, reason) => warnings.add({ pointer, reason }),
    leave: (pointer, keyword, reason) => left.add({ pointer: sourceOf(pointer), reason, keyword }),
    list: () => warnings.list((count) => ({ pointer: '', reason: `${count} more warnings are not listed` })),
    notEnforced: () =>
      left.list((count) => ({ pointer: '', keyword: '', reason: `${count} more keywords are not listed` })),
  }
}

function createList<T extends FieldError>(): {
  add: (entry: T) => void
  list: (rest: (count: number) => T) => T[]
} {
  const seen = new Set<string>()
  const kept: T[] = []
  let more = 0
  return {
    add(entry) {
      const [pointer, reason] = [boundedPointer(entry.pointer), entry.reason]
      const key = `${pointer} ${reason}`
      if (seen.has(key)) return
      if (kept.length >= WARNINGS_MAX) more++
      else {
        seen.add(key)
        kept.push({ ...entry, pointer, reason: reason.slice(0, REASON_MAX).toWellFormed() })
      }
    },
    list: (rest) => (more === 0 ? kept : [...kept, rest(more)]),
  }
}
