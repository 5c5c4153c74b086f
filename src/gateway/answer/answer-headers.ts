import type { FieldNames } from '../../wire/port.ts'
import type { Exchange, Located } from '../exchange.ts'
import { documentLine, ORIGIN_FIELDS, sharesOrigin } from './shared-origin.ts'

const REQUEST_ID = ['x-request-id']
const LIMITS = ['ratelimit', 'ratelimit-policy']
const CORS = [
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-expose-headers',
  'access-control-max-age',
]
const CACHE = ['x-cache']
const X_LIMITS = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset']

/** Every combination, made once: an engine prepares each list that it is given. */
const NAMES: readonly FieldNames[] = Array.from({ length: 32 }, (_, bits) => [
  ...REQUEST_ID,
  ...((bits & 1) === 0 ? [] : LIMITS),
  ...((bits & 2) === 0 ? [] : CORS),
  ...((bits & 4) === 0 ? [] : CACHE),
  ...((bits & 8) === 0 ? [] : X_LIMITS),
  ...((bits & 16) === 0 ? [] : ORIGIN_FIELDS),
])

/**
 * Header lines added to every answer. The upstream's lines of the same names are dropped, but for a
 * Content-Security-Policy: of several, all hold.
 */
export function answerFields(exchange: Exchange): string {
  return `X-Request-ID: ${exchange.requestId}\r\n${exchange.limitLines}${exchange.corsLines}${exchange.cacheLine}${documentLine(exchange)}`
}

/** Names of the lines of {@link answerFields}, and of those that are the gateway's to say for the collection. */
export function answerNames(exchange: Located): FieldNames {
  const bits =
    (exchange.limitLines === '' ? 0 : 1) +
    (exchange.collection.cors === null ? 0 : 2) +
    (exchange.cacheLine === '' ? 0 : 4) +
    (exchange.hasXLimits ? 8 : 0) +
    (sharesOrigin(exchange) ? 16 : 0)
  return NAMES[bits]!
}
