import { toTime } from '../../base/clock.ts'
import { canonicalJson } from '../../base/json/canonical.ts'
import type { OidcAuth, ProfileSpec } from '../../model/access/profile.ts'
import { EXPIRES_SOON_MS } from '../../model/bounds.ts'
import { methodBits } from '../../snapshot/find/methods.ts'
import { type Ruled, toCover } from '../../snapshot/find/offered-endpoints.ts'
import { readAuthorities, readCrls } from '../../snapshot/link/client.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Warning } from '../engine/kind.ts'
import { warnOfInactivePolicy } from '../policies/kind.ts'

/** What of a profile works but is hardly meant. */
export async function profileWarnings(
  profile: Resource<'profiles'>,
  context: OperationContext,
): Promise<Warning[]> {
  return [
    ...authWarnings(profile),
    ...(await sharedIssuerWarnings(profile, context)),
    ...certificateWarnings(profile, context.clock.now()),
    ...(await uncovered(profile, context)),
    ...(await warnOfInactivePolicy(profile, context)),
  ]
}

function authWarnings({ spec }: Resource<'profiles'>): Warning[] {
  const { auth, ip_allowlist } = spec
  if (auth.type === 'none' && ip_allowlist.length === 0)
    return [{ pointer: '/ip_allowlist', reason: 'ids are not secrets: each caller that knows them may call' }]
  if (auth.type === 'token' && auth.expires_in === null)
    return [{ pointer: '/auth/expires_in', reason: 'its tokens never expire' }]
  return []
}

/** What of certificates ends soon, or has ended: then calls are refused. */
function certificateWarnings({ spec }: Resource<'profiles'>, now: number): Warning[] {
  const { auth } = spec
  if (auth.type !== 'mtls') return []
  const { crl } = auth.revocation
  const ends = [
    ...auth.bindings.map(({ ca }, index) => ({
      pointer: `/auth/bindings/${index}/ca`,
      what: 'the authority',
      until: endOf(ca),
    })),
    ...(crl === null
      ? []
      : [
          {
            pointer: '/auth/revocation/crl',
            what: 'a revocation list',
            until: Math.min(...readCrls(crl).map(({ until }) => until)),
          },
        ]),
  ]
  return ends
    .filter(({ until }) => until - now <= EXPIRES_SOON_MS)
    .map(({ pointer, what, until }) => ({
      pointer,
      reason: `${what} ${until <= now ? 'ended' : 'ends'} at ${toTime(until)}`,
    }))
}

/** When the last authority of a binding ends, milliseconds since the epoch. */
export function endOf(ca: string): number {
  return Math.max(...readAuthorities(ca).map(({ until }) => until))
}

const NAMED_MAX = 10

/**
 * Warnings about an OIDC profile that takes the tokens of other clients, or makes them ambiguous: one that selects every token
 * of its issuer, one that selects the same tokens as another, and a second one that introspects opaque tokens.
 */
async function sharedIssuerWarnings(
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
        'is empty, so every token of the issuer with this audience belongs to this profile, unless a profile with more rules matches it: add rules, such as the azp or client_id of the caller',
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

/**
 * Rules of a profile that cover nothing today, drafts counted in. They are no errors: `DELETE /*` may be denied before
 * there is anything to delete, and endpoints come and go. But a deny with a typing error denies nothing, so it is told.
 */
async function uncovered(profile: Resource<'profiles'>, context: OperationContext): Promise<Warning[]> {
  const { allowed_methods, collections, endpoints } = profile.spec
  const client = await context.whole.byId('clients', profile.parent!)
  const assigned = client?.spec.collections ?? []
  const warnings: Warning[] = []
  for (const [index, id] of (collections ?? []).entries())
    if (!assigned.includes(id))
      warnings.push({
        pointer: `/collections/${index}`,
        reason: 'the client has no access to the collection',
      })
  const entries = [...endpoints.allow, ...endpoints.deny]
  if (entries.length === 0 && allowed_methods.length === 0) return warnings

  const left = assigned.filter((id) => collections === null || collections.includes(id))
  const reached = await reachedOf(left, context)
  if (reached === null) return warnings
  for (const list of ['allow', 'deny'] as const)
    for (const [index, entry] of endpoints[list].entries()) {
      const covers = toCover(entry)
      if (!reached.some(({ collection, proxy }) => covers(collection, proxy)))
        warnings.push({
          pointer: `/endpoints/${list}/${index}`,
          reason: `covers no endpoint that the client has access to, so it ${list === 'allow' ? 'allows' : 'denies'} nothing`,
        })
    }
  const methods = methodBits(allowed_methods)
  if (allowed_methods.length > 0 && !reached.some(({ proxy }) => (proxy.methods & methods) !== 0))
    warnings.push({
      pointer: '/allowed_methods',
      reason:
        'no endpoint that the client has access to answers any of these, so the profile can call nothing',
    })
  return warnings
}

interface Reached {
  readonly collection: { readonly fragment: { readonly slug: string } }
  readonly proxy: Ruled
}

/** Null when some of them are beyond what the principal sees: a warning would tell which there are. */
async function reachedOf(
  collections: readonly string[],
  context: OperationContext,
): Promise<Reached[] | null> {
  const reached: Reached[] = []
  for (const id of collections) {
    const collection = await context.whole.byId('collections', id)
    if (collection === undefined) continue
    const owner = { fragment: { slug: collection.slug } }
    const proxies = await context.whole.all('proxies', id)
    if ((await context.reader.all('proxies', id)).length < proxies.length) return null
    for (const { id: proxyId, slug, spec } of proxies) {
      const { methods, path, tags } = spec
      reached.push({
        collection: owner,
        proxy: {
          id: proxyId,
          fragment: { slug, tags },
          methods: methodBits(methods),
          route: String(collection.spec['base_path']) + (path === '/' ? '' : path),
        },
      })
    }
  }
  return reached
}
