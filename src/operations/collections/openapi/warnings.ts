import type { FieldError } from '../../../base/refusal.ts'
import { toldPointer } from './plain.ts'

/** Warnings that are listed one by one; further ones are only counted. */
const WARNINGS_MAX = 200
const REASON_MAX = 2000

/** Notes what is imported differently from what the description says. */
export type Warn = (pointer: string, reason: string) => void

/** Collects warnings; the same one is kept once. */
export function createWarnings(): { warn: Warn; list: () => FieldError[] } {
  const seen = new Set<string>()
  const kept: FieldError[] = []
  let more = 0
  return {
    warn(pointer, reason) {
      const key = `${toldPointer(pointer)} ${reason}`
      if (seen.has(key)) return
      if (kept.length >= WARNINGS_MAX) more++
      else {
        seen.add(key)
        kept.push({ pointer: toldPointer(pointer), reason: reason.slice(0, REASON_MAX).toWellFormed() })
      }
    },
    list: () =>
      more === 0 ? kept : [...kept, { pointer: '', reason: `${more} more warnings are not listed` }],
  }
}
