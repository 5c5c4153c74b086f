import { z } from 'zod'
import { DURATION_PATTERN, toMs } from '../base/clock.ts'

const OVERLAP_MAX_MS = 30 * 86_400_000

/** How long what a rotation replaces still works. */
export const Overlap = z
  .string()
  .refine(
    (text) => /^0(ms|s|m|h|d)?$/.test(text) || DURATION_PATTERN.test(text),
    'a duration such as 24h, or 0s',
  )
  .refine((text) => overlapMsOf(text) <= OVERLAP_MAX_MS, 'at most 30d')

/** Milliseconds of an overlap as it is written; `0` and `0s` are none. */
export function overlapMsOf(text: string): number {
  return DURATION_PATTERN.test(text) ? toMs(text) : 0
}
