import type { Exchange, Reply } from './exchange.ts'
import { mayHold, overloaded } from './holding.ts'
import { ANSWERED, type Verdict } from './verdict.ts'

/** Answers with what is kept. */
export function giveKept(exchange: Exchange, reply: Reply): Verdict {
  if (!mayHold(exchange, reply.body)) return overloaded(exchange)
  exchange.reply = reply
  return ANSWERED
}
