import type { RefusalCode } from '../../base/refusal.ts'
import type { Located } from '../exchange.ts'
import { asIs, collectionName, type Explain } from '../explain/judged.ts'

/**
 * A declared body that is larger than the collection takes. The check stands before the limits, so that a refused
 * request consumes nothing; a chunked body is counted while it comes.
 */
export function bodyFits(exchange: Located): RefusalCode | null {
  const max = exchange.collection.fragment.body_bytes_max
  if (exchange.bodyBytes <= max) return null
  exchange.facts = { members: { max } }
  return 'body_too_large'
}

export const explainBody: Explain<Located> = (exchange, _asked, check) =>
  asIs(exchange, check, () => ({ setting: `${collectionName(exchange.collection)} max_body` }))
