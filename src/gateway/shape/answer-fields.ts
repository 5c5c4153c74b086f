import type { FieldNames } from '../../wire/port.ts'
import type { Exchange } from '../exchange.ts'

const REQUEST_ID: FieldNames = ['x-request-id']
const WITH_LIMITS: FieldNames = [...REQUEST_ID, 'ratelimit', 'ratelimit-policy']

/** Check 18: header lines added to every answer. The upstream's lines of the same names are dropped. */
export function answerFields(exchange: Exchange): string {
  return `X-Request-ID: ${exchange.requestId}\r\n${exchange.limitLines}`
}

/** Names of the lines of {@link answerFields}. */
export function answerNames(exchange: Exchange): FieldNames {
  return exchange.limitLines === '' ? REQUEST_ID : WITH_LIMITS
}
