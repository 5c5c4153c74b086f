/**
 * Tokens in places of their own beside `Authorization`: headers and query parameters that a collection names. They are taken out of the
 * request, so that no upstream, cache, capture or workflow sees them.
 */
import { percentDecoded } from '../../guardrails/apply.ts'
import type { LinkedKeyPlaces } from '../../snapshot/linked-types/collection.ts'
import { withoutFields } from '../../wire/port.ts'
import type { Exchange } from '../exchange.ts'
import { fieldValues } from '../request-headers.ts'

/**
 * Takes what stands in the places out of the request. Without `Authorization` it is the credential of the request, as if it had been
 * sent as a bearer token. False where two places have different texts: nobody knows which of them the caller means.
 */
export function takeKeys(exchange: Exchange, { headers, query }: LinkedKeyPlaces): boolean {
  const found = new Set<string>()
  for (const name of headers) for (const value of fieldValues(exchange.pass, name)) found.add(value)
  if (found.size > 0) exchange.pass = withoutFields(exchange.pass, headers)
  if (query.size > 0 && exchange.query !== '') exchange.query = withoutPairs(exchange.query, query, found)
  found.delete('')
  if (found.size > 1) return false
  for (const text of found)
    if (exchange.authorization === undefined) exchange.authorization = `Bearer ${text}`
  return true
}

/** The query without the pairs of these names, whose decoded values are added to `found`. */
function withoutPairs(query: string, names: ReadonlySet<string>, found: Set<string>): string {
  const kept = query.split('&').filter((pair) => {
    const equals = pair.indexOf('=')
    const name = equals === -1 ? pair : pair.slice(0, equals)
    if (!names.has(percentDecoded(name.replaceAll('+', ' ')))) return true
    if (equals !== -1) found.add(percentDecoded(pair.slice(equals + 1)))
    return false
  })
  return kept.join('&')
}
