/** Recognizes errors that mean damage. */
import { CannotStart } from '../../base/refusal.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'

/** Codes of SQLite for a file that is damaged, or none of its own. */
const DAMAGED = new Set([11, 26])

/** Whether it was thrown because a file is damaged, and not because it cannot be reached or was written by a newer version. */
export function isDamage(error: unknown): boolean {
  const cause = error instanceof CannotStart || error instanceof StoreUnavailable ? error.cause : error
  return cause instanceof Error && 'errcode' in cause && DAMAGED.has(Number(cause.errcode) & 0xff)
}
