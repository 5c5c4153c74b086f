import { toTime } from '../base/clock.ts'
import { momentOf, When } from '../model/common.ts'
import type { Fields } from '../store/ports/config.ts'
import type { OperationContext } from './context.ts'

/** Members that narrow to a time. */
export const period = {
  from: When.optional().describe('Not before: 2026-05-01T00:00:00Z, 2026-05-01, or -30d for 30 days ago'),
  to: When.optional().describe('Before: as from, or now'),
}

/** `from` and `to` as RFC 3339 times; those that are absent stay so. */
export function toPeriod(
  { from, to }: Fields,
  { clock }: Pick<OperationContext, 'clock'>,
): { from?: string; to?: string } {
  const now = clock.now()
  return {
    ...(typeof from === 'string' && { from: toTime(momentOf(from, now)) }),
    ...(typeof to === 'string' && { to: toTime(momentOf(to, now)) }),
  }
}
