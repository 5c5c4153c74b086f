import type { RefusalCode } from '../../base/refusal.ts'
import type { Exchange } from '../exchange.ts'

/** Check 17, before forwarding: the upstream is known and its credential could be opened. */
export function credentialReady(exchange: Exchange): RefusalCode | null {
  if (exchange.collection!.upstream === null) {
    exchange.reason = 'the collection has no upstream'
    return 'upstream_unavailable'
  }
  const id = exchange.proxy!.credential
  if (id === null) return null
  const credential = exchange.snapshot.credentials.get(id)
  if (credential === undefined) {
    exchange.reason = `credential ${id} is not available`
    return 'credential_unavailable'
  }
  exchange.credential = credential
  return null
}
