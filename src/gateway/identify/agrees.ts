import type { LinkedClient, LinkedProfile } from '../../snapshot/linked-types/client.ts'
import type { Exchange } from '../exchange.ts'

/** Ids that were sent name this profile. */
export function agrees({ clientRef, profileRef }: Exchange, profile: LinkedProfile): boolean {
  return agreesOnClient(clientRef, profile.client) && agreesOnProfile(profileRef, profile)
}

/** Nothing was sent, or the id or slug of this client. */
export function agreesOnClient(ref: string | undefined, { id, fragment }: LinkedClient): boolean {
  return ref === undefined || ref === id || ref === fragment.slug
}

/** Nothing was sent, or the id or slug of this profile. */
export function agreesOnProfile(ref: string | undefined, { id, fragment }: LinkedProfile): boolean {
  return ref === undefined || ref === id || ref === fragment.slug
}

/** For the record of a refusal: who would be calling, where the credential leaves one profile only. */
export function nameLone(exchange: Exchange, candidates: readonly LinkedProfile[]): void {
  const [profile] = candidates
  if (profile === undefined || candidates.length > 1) return
  exchange.identity.profile = profile
  exchange.identity.client = profile.client
}
