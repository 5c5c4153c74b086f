import type { Substitute } from '../../wire/port.ts'
import { fromCache } from '../cache/cached.ts'
import { mayKeep } from '../caller-memory.ts'
import type { Exchange, Reply } from '../exchange.ts'
import { answerFields } from './fields.ts'
import { leavingFields } from './shared-origin.ts'
import type { AnswerRow } from './watch.ts'

/** Answers in whose place a kept one is given (RFC 5861 section 4). */
const STALE_AFTER: ReadonlySet<number> = new Set([500, 502, 503, 504])

/** Gives the kept answer in the place of one that says that the upstream fails. */
export const standIn: AnswerRow = {
  name: 'stale answer',
  wants: ({ stale }) => (stale === null ? -1 : 0),
  head: (exchange, status) => (STALE_AFTER.has(status) ? staleAnswer(exchange) : null),
}

/** The kept answer that stands in for a failing upstream, or null. */
export function staleAnswer(exchange: Exchange): Substitute | null {
  const reply = staleReply(exchange)
  return reply === null ? null : { ...reply, fields: leavingFields(exchange, reply) + answerFields(exchange) }
}

/** The same for a request that is not forwarded at all. */
export function staleReply(exchange: Exchange): Reply | null {
  const { stale } = exchange
  if (stale === null) return null
  const reply = fromCache(exchange, stale)
  if (!mayKeep(exchange, reply.body)) return null
  exchange.cacheLine = 'X-Cache: STALE\r\n'
  return reply
}
