import { canonicalJson } from '../../base/json/canonical.ts'
import type { OidcAuth, ProfileSpec } from '../../model/access/profile.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Warning } from '../engine/kind.ts'

const NAMED_MAX = 10

/**
 * Warnings about an OIDC profile that takes the tokens of other clients, or makes them ambiguous: one that selects every token
 * of its issuer, one that selects the same tokens as another, and a second one that introspects opaque tokens.
 */
export async function sharedIssuerWarnings(
  profile: Resource<'profiles'>,
  context: OperationContext,
): Promise<Warning[]> {
  // Parsed by the exact schema before it was stored.
  const { auth } = profile.spec
  if (auth.type !== 'oidc') return []
  const others = (await context.whole.all('profiles')).filter(
    ({ id, spec }) => id !== profile.id && spec.active,
  )
  const warnings: Warning[] = []
  const sameTokens = others.filter((other) => selectsSame(auth, authOf(other)))
  if (isCatchAll(auth))
    warnings.push({
      pointer: '/auth/match',
      reason:
        'is empty, so every token of the issuer with this audience belongs to this profile, unless a profile with more rules fits it: add rules, such as the azp or client_id of the caller',
    })
  if (sameTokens.length > 0)
    warnings.push({
      pointer: '/auth/match',
      reason: `selects the same tokens as ${await named(sameTokens, context)}: these tokens are refused with profile_ambiguous unless the caller sends X-Profile-ID`,
    })
  const introspecting = others.filter((other) => introspects(authOf(other)))
  if (introspects(auth) && introspecting.length > 0)
    warnings.push({
      pointer: '/auth/introspection_credential',
      reason: `opaque tokens are introspected for ${await named(introspecting, context)} too: they are refused with profile_ambiguous unless the caller sends X-Profile-ID`,
    })
  return warnings
}

const authOf = ({ spec }: Resource<'profiles'>) => spec.auth

function isCatchAll({ match, required_claims, required_scopes }: OidcAuth): boolean {
  return match.length === 0 && Object.keys(required_claims).length === 0 && required_scopes.length === 0
}

const introspects = (auth: ProfileSpec['auth']): boolean =>
  auth.type === 'oidc' && auth.introspection_credential !== null

/** Neither profile is more specific than the other for any token. */
function selectsSame(auth: OidcAuth, other: ProfileSpec['auth']): boolean {
  return other.type === 'oidc' && selectorOf(auth) === selectorOf(other)
}

function selectorOf({ issuer, audience, match, required_claims, required_scopes }: OidcAuth): string {
  return canonicalJson({
    issuer,
    audience,
    match: match.map((rule) => canonicalJson(rule)).sort(),
    required_claims,
    required_scopes: [...required_scopes].sort(),
  })
}

/** The profiles that the principal sees by name; all others as a word. */
async function named(profiles: readonly Resource[], { reader }: OperationContext): Promise<string> {
  const names: string[] = []
  for (const { id } of profiles.slice(0, NAMED_MAX)) {
    const seen = await reader.byId('profiles', id)
    const client = seen === undefined ? undefined : await reader.byId('clients', seen.parent!)
    if (seen !== undefined && client !== undefined) names.push(`${client.slug}:${seen.slug}`)
  }
  if (names.length < profiles.length) names.push(names.length === 0 ? 'another profile' : 'others')
  return names.join(', ')
}
