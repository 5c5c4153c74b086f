import type { LinkedCors } from '../../snapshot/linked/collection.ts'
import type { Exchange } from '../exchange.ts'
import { fieldValue } from '../header-lines.ts'

/** What an answer depends on that differs by origin. */
const VARY = 'Vary: Origin\r\n'
const VARY_PREFLIGHT =
  'Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\nCache-Control: no-store\r\n'

/** Origins worth comparing; anything else is never echoed. */
const ORIGIN = /^https?:\/\/[a-z0-9.:[\]-]{1,255}$/

/**
 * The CORS protocol (Fetch 3.2) for a collection that takes part in it. True when the request was a preflight, which is
 * answered here: browsers send it without credentials, so it says nothing but what the collection allows every
 * page, and not even whether the path exists.
 */
export function crossOrigin(exchange: Exchange, cors: LinkedCors): boolean {
  // An agent's calls have no page behind them.
  if (exchange.surface !== 0) return false
  const origin = fieldValue(exchange.pass, 'origin')
  const allowed = origin === undefined ? '' : allowedOrigin(cors, origin)
  const line = allowed === '' ? '' : `Access-Control-Allow-Origin: ${allowed}\r\n`
  const isPreflight =
    origin !== undefined &&
    exchange.method === 'OPTIONS' &&
    fieldValue(exchange.pass, 'access-control-request-method') !== undefined
  if (isPreflight) {
    if (line === '') exchange.reason = 'the origin is not allowed'
    exchange.reply = {
      status: 204,
      fields: VARY_PREFLIGHT + (line === '' ? '' : line + cors.preflight),
      body: '',
    }
    return true
  }
  exchange.corsLines = (cors.any ? '' : VARY) + (line === '' ? '' : line + cors.lines)
  return false
}

/** What to say in Access-Control-Allow-Origin; empty when the origin may not call. */
function allowedOrigin(cors: LinkedCors, origin: string): string {
  if (cors.any) return '*'
  if (!ORIGIN.test(origin)) return ''
  if (cors.origins.has(origin)) return origin
  for (const [scheme, end] of cors.below)
    if (origin.startsWith(scheme) && origin.endsWith(end) && origin.length > scheme.length + end.length)
      return origin
  return ''
}
