import { toRule } from '../base/claims.ts'
import type { Clock } from '../base/clock.ts'
import { type NamedKey, signingKeyOf } from '../base/jws.ts'
import { type Jwt, readJwt } from '../base/jwt.ts'
import { refuse } from '../base/refusal.ts'
import type { TrustRuleSpec } from '../model/access.ts'
import { KEY_ALGS, toClaimRule } from '../model/profile-auth.ts'
import type { ConfigReader, Resource } from '../store/ports/config.ts'
import { grantsOf } from './identities.ts'
import type { Principal } from './principal.ts'

/** Tolerance for clocks that differ, milliseconds. */
const SKEW_MS = 60_000
/** No bound: a rule that was left out could be that of another identity. */
const ALL = 2 ** 31 - 1

/** The keys of a source, `jwks <url>` or `discovery <issuer>`, or why they cannot be had. */
export type KeysOf = (source: string, kid: string | null) => Found | Promise<Found>
type Found =
  | { readonly ok: true; readonly keys: readonly NamedKey[] }
  | { readonly ok: false; readonly reason: string }

export interface WorkloadTokens {
  /**
   * The service identity for which a token stands that an issuer of a trust rule has signed (RFC 7519), such as that of
   * a pipeline of GitHub or GitLab or of a service account of Kubernetes. Refuses with credential_invalid,
   * credential_expired or identity_unavailable; why exactly is the inner reason, for the audit only.
   */
  verify(token: string): Promise<Principal>
}

export function createWorkloadTokens(reader: ConfigReader, clock: Clock, keysOf: KeysOf): WorkloadTokens {
  return {
    async verify(token) {
      const jwt = readJwt(token)
      if (typeof jwt === 'string') throw invalid(jwt)
      const rules = await rulesOf(jwt, reader)
      // Only now: nobody makes an issuer be asked by a token that no rule fits
      await proveBy(jwt, rules, clock.now())
      const identity = await reader.byId('service_identities', rules[0].service_identity)
      if (identity?.spec['active'] !== true) throw invalid('the service identity is inactive')
      return {
        id: identity.id,
        type: 'service',
        name: identity.slug,
        authMethod: 'workload_token',
        grants: await grantsOf(reader, identity.id, clock.now()),
        expiresAt: jwt.expires! * 1000 + SKEW_MS,
      }
    },
  }

  /** By the keys of one of the rules: an issuer may be told of by several key sets. */
  async function proveBy(jwt: Jwt, rules: readonly TrustRuleSpec[], now: number): Promise<void> {
    let first: unknown
    for (const rule of new Map(rules.map((one) => [one.jwks_url, one])).values()) {
      try {
        return await prove(jwt, rule, now)
      } catch (error) {
        first ??= error
      }
    }
    throw first
  }

  async function prove(jwt: Jwt, { issuer, jwks_url }: TrustRuleSpec, now: number): Promise<void> {
    if (!KEY_ALGS.some((alg) => alg === jwt.alg)) throw invalid('the algorithm is not admitted')
    const { expires, notBefore, issuedAt } = jwt
    if (expires === null) throw invalid('the token has no exp')
    if (now < Math.max(notBefore ?? 0, issuedAt ?? 0) * 1000 - SKEW_MS)
      throw invalid('the token is not valid yet')
    const found = await keysOf(jwks_url === null ? `discovery ${issuer}` : `jwks ${jwks_url}`, jwt.kid)
    if (!found.ok) throw refuse('identity_unavailable', { inner: found.reason })
    const key = signingKeyOf(jwt, found.keys)
    if (typeof key === 'string') throw invalid(key)
    if (expires * 1000 + SKEW_MS <= now) throw refuse('credential_expired', { inner: 'expired' })
  }
}

/** The rules that a token fits. Refuses where those of several identities do: who it is must never hang on their order. */
async function rulesOf(
  jwt: Jwt,
  reader: ConfigReader,
): Promise<readonly [TrustRuleSpec, ...TrustRuleSpec[]]> {
  const known = await reader.list({ type: 'trust_rules', limit: ALL, where: { issuer: jwt.issuer } })
  if (known.length === 0) throw invalid('no trust rule is of its issuer')
  const fitting = known.map(specOf).filter((rule) => fits(rule, jwt))
  const identities = new Set(fitting.map(({ service_identity }) => service_identity))
  if (identities.size > 1) throw invalid('trust rules of several service identities fit')
  const [rule, ...others] = fitting
  if (rule === undefined) throw invalid('no trust rule fits its audience and claims')
  return [rule, ...others]
}

function specOf({ spec }: Resource): TrustRuleSpec {
  // Stored by the schema of this type.
  return spec as TrustRuleSpec
}

function fits({ audience, conditions }: TrustRuleSpec, jwt: Jwt): boolean {
  if (!jwt.audience.includes(audience)) return false
  return conditions.every((condition) => toRule(toClaimRule(condition))(jwt.claims))
}

function invalid(inner: string) {
  return refuse('credential_invalid', { inner })
}
