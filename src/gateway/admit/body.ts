import type { RefusalCode } from '../../base/refusal.ts'
import type { Exchange } from '../exchange.ts'

/**
 * The late part of check 1: a declared body that is larger than the collection takes. It stands before the limits, so
 * that a refused request consumes nothing; a chunked body is counted while it comes.
 */
export function bodyFits(exchange: Exchange): RefusalCode | null {
  const max = exchange.collection!.fragment.body_bytes_max
  if (exchange.bodyBytes <= max) return null
  exchange.facts = { members: { max } }
  return 'body_too_large'
}
