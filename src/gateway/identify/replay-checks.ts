import type { RefusalCode } from '../../base/refusal.ts'
import type { Called, Exchange } from '../exchange.ts'
import { type Judged, open } from '../explain/judged.ts'
import { endOf } from './active.ts'

/**
 * `authenticate` for a recorded request that is made again. What proved its caller is not at hand, but the token of a profile is
 * known by its id, and must still prove them.
 */
export function proofStands(exchange: Called): RefusalCode | null {
  const { replayed, now } = exchange
  const { profile } = exchange.identity
  const { auth } = profile.fragment
  if (auth === 'none') return null
  if (auth !== 'token') {
    exchange.reason = `callers of a profile of type ${auth} are proved by what is not recorded`
    return 'credential_invalid'
  }
  const token = profile.client.tokens.find(
    (one) => one.profile === profile && one.fragment.id === replayed!.credentialId,
  )
  if (token === undefined) {
    exchange.reason =
      replayed!.credentialId === '' ? 'no token had proved the caller' : 'the token of the caller was revoked'
    return 'credential_invalid'
  }
  const end = endOf(token, now)
  if (end !== null) {
    exchange.reason = `the token of the caller has ended: ${end}`
    return 'credential_expired'
  }
  exchange.identity.credentialId = token.fragment.id
  return null
}

/**
 * A recorded request is permitted for the proxy that it met, and for no other. Likewise a capability of a virtual MCP stands for one
 * proxy: `/orders/{id}` with the id `export` would be another one, which the capability policy may hide.
 */
export function sameProxy(exchange: Exchange): RefusalCode | null {
  const { proxy, replayed, through } = exchange
  const meant = replayed?.proxy ?? through?.proxy
  if (meant === undefined || meant === proxy?.id) return null
  exchange.reason =
    replayed === null ? 'the path leads to another proxy' : 'the path leads to another proxy now'
  return 'route_not_found'
}

/** Requests that were not made are explained as over REST, where these checks are not made. */
export const explainReplayOnly = (): Judged => open('only a recorded request that is made again is checked')
