import type { Jwt } from '../../base/crypto/jwt.ts'
import type { LinkedProfile } from '../../snapshot/linked/client.ts'
import type { Exchange } from '../exchange.ts'
import { faultOf } from './signed.ts'

/**
 * The profiles that fit a signed token best. The order is total, and the first criterion that differs decides:
 *
 * 1. more claims that the profile selects by: those of `match`, and `aud` where it has an audience
 * 2. more of them selected by exact values rather than by a pattern
 * 3. the token meets what the profile requires of claims and scopes
 * 4. more required claims and scopes
 *
 * Whether a profile is switched on is no criterion: else the callers of a profile that is switched off would go on as
 * those of a broader one.
 */
export function mostSpecific(jwt: Jwt, profiles: readonly LinkedProfile[]): readonly LinkedProfile[] {
  if (profiles.length < 2) return profiles
  const ranked = profiles.map((profile) => ({ profile, rank: rankOf(jwt, profile) }))
  const best = ranked.reduce((a, b) => (compare(b.rank, a.rank) > 0 ? b : a)).rank
  return ranked.filter(({ rank }) => compare(rank, best) === 0).map(({ profile }) => profile)
}

function rankOf({ claims }: Jwt, { verifier }: LinkedProfile): readonly number[] {
  const { selectors, exact, requirements } = verifier!.specificity
  return [selectors, exact, faultOf(verifier!, claims) === null ? 1 : 0, requirements]
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) if (value !== b[index]) return value - b[index]!
  return 0
}

const NAMED_MAX = 10

/** Refuses, and names the profiles for the record alone. */
export function ambiguous(exchange: Exchange, profiles: readonly LinkedProfile[]): 'profile_ambiguous' {
  const names = profiles
    .slice(0, NAMED_MAX)
    .map(({ client, fragment }) => `${client.fragment.slug}:${fragment.slug}`)
  const more = profiles.length - names.length
  exchange.reason = `fits the profiles ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
  return 'profile_ambiguous'
}
