import { mayKeep, overloaded } from './caller-memory.ts'
import type { Exchange, Reply } from './exchange.ts'
import { ANSWERED, type Verdict } from './verdict.ts'

/** Answers with what is kept. */
export function giveKept(exchange: Exchange, reply: Reply): Verdict {
  if (!mayKeep(exchange, reply.body)) return overloaded(exchange)
  exchange.reply = reply
  return ANSWERED
}
