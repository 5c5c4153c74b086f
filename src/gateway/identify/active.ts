import type { RefusalCode } from '../../base/refusal.ts'
import type { Exchange } from '../exchange.ts'

/** Check 6. Client and profile are switched on and the client is inside its validity. */
export function callerActive(exchange: Exchange): RefusalCode | null {
  const { client, profile } = exchange
  if (client !== null) {
    const { active, valid_until } = client.fragment
    if (!active) return 'client_inactive'
    if (valid_until !== null && exchange.now >= valid_until) {
      exchange.reason = 'the validity of the client has ended'
      return 'client_inactive'
    }
  }
  return profile !== null && !profile.fragment.active ? 'profile_inactive' : null
}
