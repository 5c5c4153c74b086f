import type { LinkedProfile } from '../../snapshot/snapshot.ts'
import type { Exchange } from '../exchange.ts'

/** Ids that were sent name this profile. */
export function agrees({ clientRef, profileRef }: Exchange, profile: LinkedProfile): boolean {
  const { client } = profile
  return (
    (clientRef === undefined || clientRef === client.id || clientRef === client.fragment.slug) &&
    (profileRef === undefined || profileRef === profile.id || profileRef === profile.fragment.slug)
  )
}
