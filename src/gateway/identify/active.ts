import type { RefusalCode } from '../../base/refusal.ts'
import type { LinkedToken } from '../../snapshot/linked-types/client.ts'
import type { Exchange } from '../exchange.ts'
import { asIs, type Explain, NO_CALLER, profileName } from '../explain/judged.ts'

/** Client and profile are switched on and the client is inside its validity. */
export function callerActive(exchange: Exchange): RefusalCode | null {
  const { client, profile } = exchange.identity
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

/** Why a token proves nothing any more; null while it does. */
export function endOf({ fragment: { expires_at, retires_at } }: LinkedToken, now: number): string | null {
  if (retires_at !== null && now >= retires_at) return 'retired by rotation'
  return expires_at !== null && now >= expires_at ? 'the token has expired' : null
}

export const explainActive: Explain = (exchange, _asked, check) => {
  const { client } = exchange.identity
  if (client === null) return NO_CALLER
  const { slug, active } = client.fragment
  const profile = profileName(exchange)
  return asIs(exchange, check, () => ({
    setting: `clients/${slug} active, valid_until; ${profile} active`,
    deciding: (code) =>
      code === 'profile_inactive'
        ? `${profile} active`
        : `clients/${slug} ${active ? 'valid_until' : 'active'}`,
  }))
}
