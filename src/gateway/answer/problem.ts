import { PROBLEMS, problemOf } from '../../base/refusal.ts'
import type { Exchange } from '../exchange.ts'
import { answerFields } from './answer-headers.ts'

/** The answer to an exchange that was refused or failed. */
export interface ProblemAnswer {
  readonly status: number
  /** Header lines. */
  readonly fields: string
  /** JSON text of the problem object (RFC 9457). */
  readonly body: string
}

const CONTENT = 'Content-Type: application/problem+json\r\nCache-Control: no-store\r\n'
const CHALLENGE = 'WWW-Authenticate: Bearer realm="postern"\r\n'
/** RFC 6750 3.1: a credential was sent and does not hold. */
const CHALLENGE_AGAIN = 'WWW-Authenticate: Bearer realm="postern", error="invalid_token"\r\n'

/** Forms the answer of an exchange whose `code` is set. */
export function problemAnswer(exchange: Exchange): ProblemAnswer {
  const code = exchange.code ?? 'internal_error'
  const { status } = PROBLEMS[code]
  let fields = CONTENT + answerFields(exchange)
  if (status === 401) fields += exchange.authorization === undefined ? CHALLENGE : CHALLENGE_AGAIN
  if (status === 405) fields += `Allow: ${exchange.allow}\r\n`
  if (exchange.retryAfterMs > 0) fields += `Retry-After: ${Math.ceil(exchange.retryAfterMs / 1000)}\r\n`
  return { status, fields, body: JSON.stringify(problemOf(code, exchange.facts, exchange.requestId)) }
}
