import type { RefusalCode } from '../../base/refusal.ts'
import { methodBit } from '../../snapshot/methods.ts'
import { isHidden } from '../admit/access.ts'
import type { Exchange } from '../exchange.ts'
import { ANSWERED, type Verdict } from '../verdict.ts'
import { crossOrigin } from './cors.ts'

/** Check 4. Finds collection and proxy, and answers preflights of browsers; that there is no proxy is held back until the caller is known. */
export function findRoute(exchange: Exchange): Verdict {
  const { path } = exchange
  const collection = exchange.snapshot.mounts.find(path, exchange.host)
  if (collection === null) return 'route_not_found'
  exchange.collection = collection
  if (collection.cors !== null && crossOrigin(exchange, collection.cors)) return ANSWERED
  const below = path.slice(collection.fragment.base_path.length)
  const found = collection.routes.find(below, methodBit(exchange.method))
  exchange.proxy = found.proxy
  exchange.others = found.others
  return null
}

/** Check 10. What check 4 held back. */
export function heldBackRoute(exchange: Exchange): RefusalCode | null {
  const { fault } = exchange.collection!
  if (fault !== null && !isHidden(exchange)) {
    exchange.reason = fault
    return 'route_unavailable'
  }
  return exchange.proxy === null && exchange.others === null ? 'route_not_found' : null
}
