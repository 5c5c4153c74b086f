import { z } from 'zod'
import { DURATION_PATTERN, toMs } from '../base/clock.ts'
import { unit } from './annotations.ts'

/** A duration such as `30s`, `1m`, `24h`, `30d`. A text that is none ends the checks, so that those after it may reckon with one. */
export const Duration = z
  .string()
  .regex(DURATION_PATTERN, {
    error: 'a duration such as 30s, 1m, 24h or 30d',
    abort: true,
  })
  .meta(unit('duration'))

/** RFC 3339 in UTC. */
export const Time = z.iso
  .datetime({ offset: true, error: 'an RFC 3339 time with its zone, such as 2026-05-01T00:00:00Z' })
  .describe('RFC 3339 time')

/** A time that lists are filtered by, as people say it; {@link momentOf} gives the moment it means. */
export const When = z
  .string()
  .meta(unit('time'))
  .max(40)
  .refine(isWhen, 'a time with its zone such as 2026-05-01T00:00:00Z, a date, now, or -30d for 30 days ago')
  .describe('Time such as 2026-05-01T00:00:00Z, date (in UTC), now, or -30d for 30 days ago')

/** `-30d`: a duration before now. */
const isAgo = (text: string): boolean => text.startsWith('-') && DURATION_PATTERN.test(text.slice(1))

function isWhen(text: string): boolean {
  return text === 'now' || isAgo(text) || isDate(text) || Time.safeParse(text).success
}

function isDate(text: string): boolean {
  return z.iso.date().safeParse(text).success
}

/** The moment that a {@link When} means at `now`; both in milliseconds since the epoch. A date is its first moment. */
export function momentOf(when: string, now: number): number {
  if (when === 'now') return now
  return isAgo(when) ? Math.max(0, now - toMs(when.slice(1))) : Date.parse(when)
}
