import type { FieldNames } from '../../wire/port.ts'
import type { Exchange } from '../exchange.ts'

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
const NAMES: readonly FieldNames[] = Array.from({ length: 16 }, (_, bits) => [
  ...REQUEST_ID,
  ...((bits & 1) === 0 ? [] : LIMITS),
  ...((bits & 2) === 0 ? [] : CORS),
  ...((bits & 4) === 0 ? [] : CACHE),
  ...((bits & 8) === 0 ? [] : X_LIMITS),
])

/** Check 18: header lines added to every answer. The upstream's lines of the same names are dropped. */
export function answerFields(exchange: Exchange): string {
  return `X-Request-ID: ${exchange.requestId}\r\n${exchange.limitLines}${exchange.corsLines}${exchange.cacheLine}`
}

/** Names of the lines of {@link answerFields}, and of those that are the gateway's to say for the collection. */
export function answerNames(exchange: Exchange): FieldNames {
  const bits =
    (exchange.limitLines === '' ? 0 : 1) +
    (exchange.collection!.cors === null ? 0 : 2) +
    (exchange.cacheLine === '' ? 0 : 4) +
    (exchange.hasXLimits ? 8 : 0)
  return NAMES[bits]!
}
