import type { RefusalCode } from '../base/refusal.ts'
import type { Exchange, Reply } from './exchange.ts'
import { mayKeep, overloaded } from './exchange-memory.ts'

/** The check has set `exchange.reply`, which answers the request: nothing is forwarded. */
export const ANSWERED = 0

/** The request is admitted: no later check concerns it. */
export const ADMITTED = 1

/** The code of a refusal, null to go on, {@link ANSWERED} or {@link ADMITTED}. */
export type Verdict = RefusalCode | null | typeof ANSWERED | typeof ADMITTED

/**
 * Looks at one thing. Most checks know at once; one that must ask another server gives a promise, and bounds its time
 * itself. The caller may have left when it settles.
 */
export type Check<On extends Exchange = Exchange> = (exchange: On) => Verdict | Promise<Verdict>

/** Answers with what is kept. */
export function giveKept(exchange: Exchange, reply: Reply): Verdict {
  if (!mayKeep(exchange, reply.body)) return overloaded(exchange)
  exchange.reply = reply
  return ANSWERED
}
