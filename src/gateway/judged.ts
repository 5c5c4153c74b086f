import type { RefusalCode } from '../base/refusal.ts'
import type { Explanation } from '../model/explanation.ts'

/** What a check says of a request that was not made. */
export type Judged = Omit<Explanation['checks'][number], 'number' | 'name'>

export const pass = (reason: string, setting: string | null = null): Judged => ({
  result: 'pass',
  code: null,
  reason,
  setting,
})

export const open = (reason: string, setting: string | null = null): Judged => ({
  result: 'not_judged',
  code: null,
  reason,
  setting,
})

export const refuse = (code: RefusalCode, reason: string, setting: string | null): Judged => ({
  result: 'refuse',
  code,
  reason,
  setting,
})
