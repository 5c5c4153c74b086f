import type { LinkedLimit } from '../../snapshot/linked/policy.ts'
import type { Exchange } from '../exchange.ts'
import { firstFieldValue } from '../header-lines.ts'

/** A longer value is cut: it stands for one caller, not for a document. */
const VALUE_CHARS_MAX = 256

/** What a keyed limit counts by in this request; null when the request does not have it. */
export function keyValueOf(exchange: Exchange, { by, byName }: LinkedLimit): string | null {
  const value = chosenBy(exchange, by, byName)
  return value === null || value === '' ? null : value.slice(0, VALUE_CHARS_MAX)
}

function chosenBy(exchange: Exchange, by: LinkedLimit['by'], name: string): string | null {
  switch (by) {
    case 'ip':
      return exchange.ip
    case 'header':
      return firstFieldValue(exchange.pass, name) ?? null
    case 'tool':
      return exchange.agent === null ? null : exchange.agent.tool
    case 'user':
      return exchange.identity.subject
    default:
      return exchange.identity.claims.get(name) ?? (name === 'sub' ? exchange.identity.subject : null)
  }
}
