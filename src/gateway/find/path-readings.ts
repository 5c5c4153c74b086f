/**
 * Refuses paths that a lenient server could read as an endpoint that is protected differently: a more specific route
 * whose credential, headers, policy or checks differ (`snapshot/link/guarded-routes`, computed when the collection is
 * linked), or a route of a collection with a deeper base path. `admit/access.ts` does the same for the routes that the
 * rules of the profile close.
 */
import type { RefusalCode } from '../../base/refusal.ts'
import { methodBit } from '../../snapshot/find/methods.ts'
import { looseParts } from '../../snapshot/find/plain-path.ts'
import type { LinkedCollection } from '../../snapshot/linked/collection.ts'
import type { Called } from '../exchange.ts'
import { asIs, type Explain, NO_CALLER } from '../explain/judged.ts'

const FACTS = {
  detail:
    'A server that ignores case, a final slash or an additional encoding reads this path as the path of another endpoint, which is protected differently. Use the exact path of that endpoint. If this path is correct, ask the operator to publish it as an endpoint of its own.',
}

/**
 * No lenient server reads the path as one of a more specific route whose credential, headers, policy or request
 * checks differ, or of a collection below this one: `/users/EXPORT` where `/users/export` has a policy of its own.
 */
export function readsInOneWay(exchange: Called): RefusalCode | null {
  const { snapshot, collection, path, host } = exchange
  // The check `method` refuses a request without a proxy
  const { isOpen, guardedBeside } = exchange.proxy ?? NO_PROXY
  if (!isOpen) return null
  const deeper = snapshot.mounts.readDeeper(collection, path, host)
  if (deeper !== null) return ofDeeper(exchange, deeper)
  if (guardedBeside.length === 0) return null
  const bit = methodBit(exchange.method)
  const parts = looseParts(path.slice(collection.fragment.base_path.length))
  for (const { methods, matches, route } of guardedBeside)
    if ((methods & bit) !== 0 && matches(parts))
      return refused(exchange, `of ${route}, whose credential, headers, policy or request checks differ`)
  return null
}

/** A collection that hides itself from the caller is not told of. */
function ofDeeper(exchange: Called, { id, fragment }: LinkedCollection): RefusalCode {
  const code = refused(exchange, `of the collection at ${fragment.base_path}`)
  const isHidden = fragment.hide_unassigned === true && !exchange.identity.profile.collections.has(id)
  if (!isHidden) return code
  exchange.facts = {}
  return 'route_not_found'
}

const NO_PROXY = { isOpen: false, guardedBeside: [] }

function refused(exchange: Called, whose: string): RefusalCode {
  exchange.reason = `a server that ignores case, a final slash or an additional encoding reads the path as one ${whose}`
  exchange.facts = FACTS
  return 'request_not_canonical'
}

export const explainReadings: Explain = (exchange, _asked, check) =>
  exchange.identity.profile === null ? NO_CALLER : asIs(exchange, check)
