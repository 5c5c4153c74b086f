import type { LinkedLimit } from '../../snapshot/snapshot.ts'
import type { Exchange } from '../exchange.ts'

/** A longer value is cut: it stands for one caller, not for a document. */
const VALUE_CHARS_MAX = 256

/** What a keyed limit counts by in this request; null when the request does not have it. */
export function keyValueOf(exchange: Exchange, { by, byName }: LinkedLimit): string | null {
  const value =
    by === 'ip' ? exchange.ip : by === 'header' ? headerOf(exchange, byName) : claimOf(exchange, byName)
  return value === null || value === '' ? null : value.slice(0, VALUE_CHARS_MAX)
}

/** The first line of this name. */
function headerOf({ pass }: Exchange, name: string): string | null {
  let at = 0
  while (at < pass.length) {
    const end = pass.indexOf('\r\n', at)
    if (end === -1) return null
    const colon = pass.indexOf(':', at)
    if (colon - at === name.length && pass.slice(at, colon).toLowerCase() === name)
      return pass.slice(colon + 1, end).trim()
    at = end + 2
  }
  return null
}

/** Claims are those of a proven token; profiles that prove no claims have none. */
function claimOf(exchange: Exchange, name: string): string | null {
  const { claims } = exchange as { claims?: ReadonlyMap<string, string> }
  return claims?.get(name) ?? null
}
