/**
 * Authenticates workloads with tokens of their platform. An issuer is contacted only for a token that matches a trust rule.
 */
import type { Clock } from '../base/clock.ts'
import { type NamedKey, signingKeyOf } from '../base/crypto/jws.ts'
import { type Jwt, readJwt, toRule } from '../base/crypto/jwt.ts'
import { contentHash } from '../base/json/canonical.ts'
import { refuse } from '../base/refusal.ts'
import type { TrustRuleSpec } from '../model/access/access.ts'
import { KEY_ALGS, toClaimRule } from '../model/access/profile.ts'
import type { ConfigReader } from '../store/ports/config.ts'
import type { Resource } from '../store/ports/resource.ts'
import { grantsOf } from './identities.ts'
import type { Principal } from './principal.ts'

/** No bound: a rule that was left out could be that of another identity. */
const ALL = 2 ** 31 - 1

interface WorkloadPrincipal extends Principal {
  /** Names the trust rule as it is now; see {@link isTrusted}. */
  readonly trustRule: string
}

export interface WorkloadTokens {
  /**
   * The service identity for which a token stands that an issuer of a trust rule has signed (RFC 7519), such as that of
   * a pipeline of GitHub or GitLab or of a service account of Kubernetes. Refuses with credential_invalid,
   * credential_expired or identity_unavailable; why exactly is the inner reason, for the audit only.
   */
  verify(token: string): Promise<WorkloadPrincipal>
  /** True when a trust rule fits what a token says; nothing in it is proved. */
  isMeant(token: string): Promise<boolean>
}

/** Takes tokens by the trust rules that are stored at that moment. */
export function createWorkloadTokens(reader: ConfigReader, clock: Clock, keysOf: KeysOf): WorkloadTokens {
  return {
    async verify(token) {
      const jwt = readJwt(token)
      if (typeof jwt === 'string') throw invalid(jwt)
      const rules = await rulesOf(jwt, reader)
      // Only now: nobody makes an issuer be asked by a token that no rule fits
      const { rule, expiresAt } = await proveBy(jwt, rules, clock.now())
      const identity = await reader.byId('service_identities', rule.spec.service_identity)
      if (identity?.spec['active'] !== true) throw invalid('the service identity is inactive')
      return {
        id: identity.id,
        type: 'service',
        name: identity.slug,
        authMethod: 'workload_token',
        grants: await grantsOf(reader, identity.id, clock.now()),
        expiresAt,
        trustRule: fingerprintOf(rule),
      }
    },
    async isMeant(token) {
      const jwt = readJwt(token)
      return (
        typeof jwt !== 'string' && (await rulesOfIssuer(jwt, reader)).some((rule) => fits(rule.spec, jwt))
      )
    },
  }

  /** By the keys of one of the rules: an issuer may be told of by several key sets. */
  async function proveBy(
    jwt: Jwt,
    rules: readonly Resource<'trust_rules'>[],
    now: number,
  ): Promise<{ rule: Resource<'trust_rules'>; expiresAt: number }> {
    let first: unknown
    for (const rule of new Map(rules.map((one) => [one.spec.jwks_url, one])).values()) {
      const { issuer, jwks_url } = rule.spec
      try {
        const source = jwks_url === null ? `discovery ${issuer}` : `jwks ${jwks_url}`
        return { rule, expiresAt: await proveByIssuer(jwt, source, keysOf, now) }
      } catch (error) {
        first ??= error
      }
    }
    throw first
  }
}

/** The rules that a token fits. Refuses where those of several identities do: who it is must never hang on their order. */
async function rulesOf(jwt: Jwt, reader: ConfigReader): Promise<readonly Resource<'trust_rules'>[]> {
  const known = await rulesOfIssuer(jwt, reader)
  if (known.length === 0) throw invalid('no trust rule has its issuer')
  const fitting = known.filter((rule) => fits(rule.spec, jwt))
  const identities = new Set(fitting.map((rule) => rule.spec.service_identity))
  if (identities.size > 1) throw invalid('trust rules of several service identities match')
  if (fitting.length === 0) throw invalid('no trust rule matches its audience and claims')
  return fitting
}

async function rulesOfIssuer(
  { issuer }: Jwt,
  reader: ConfigReader,
): Promise<readonly Resource<'trust_rules'>[]> {
  return reader.list({ type: 'trust_rules', limit: ALL, where: { issuer } })
}

/** True while the rule of a fingerprint is there and trusts what it trusted. */
export async function isTrusted(fingerprint: string, reader: Pick<ConfigReader, 'byId'>): Promise<boolean> {
  const rule = await reader.byId('trust_rules', fingerprint.split('.', 1)[0]!)
  return rule !== undefined && fingerprintOf(rule) === fingerprint
}

/** Changes with what is trusted, and not with how the rule is called. */
function fingerprintOf(rule: Resource<'trust_rules'>): string {
  const { service_identity, issuer, jwks_url, audience, conditions } = rule.spec
  return `${rule.id}.${contentHash([service_identity, issuer, jwks_url, audience, conditions])}`
}

function fits({ audience, conditions }: TrustRuleSpec, jwt: Jwt): boolean {
  if (!jwt.audience.includes(audience)) return false
  return conditions.every((condition) => toRule(toClaimRule(condition))(jwt.claims))
}

// Verifies tokens with the keys of their issuer.

/** Tolerance for clocks that differ, milliseconds. */
const SKEW_MS = 60_000

/** An issuer that failed is asked again after so long, milliseconds. */
const RETRY_MS = 5000

/** The keys of a source, `jwks <url>` or `discovery <issuer>`, or why they cannot be had. */
export type KeysOf = (source: string, kid: string | null) => Found | Promise<Found>
type Found =
  | { readonly ok: true; readonly keys: readonly NamedKey[] }
  | { readonly ok: false; readonly reason: string }

/**
 * Proves that a token was signed by a key of the source and is in its time (RFC 7519), and says when that ends, in
 * milliseconds since the epoch. Refuses with credential_invalid, credential_expired or identity_unavailable; why exactly
 * is the inner reason.
 */
export async function proveByIssuer(jwt: Jwt, source: string, keysOf: KeysOf, now: number): Promise<number> {
  if (!KEY_ALGS.some((alg) => alg === jwt.alg)) throw invalid('the algorithm is not allowed')
  const { expires, notBefore, issuedAt } = jwt
  if (expires === null) throw invalid('the token has no exp')
  if (now < Math.max(notBefore ?? 0, issuedAt ?? 0) * 1000 - SKEW_MS)
    throw invalid('the token is not valid yet')
  const found = await keysOf(source, jwt.kid)
  if (!found.ok)
    throw refuse('identity_unavailable', { inner: found.reason, members: { retry_after_ms: RETRY_MS } })
  const key = signingKeyOf(jwt, found.keys)
  if (typeof key === 'string') throw invalid(key)
  const endsAt = expires * 1000 + SKEW_MS
  if (endsAt <= now) throw refuse('credential_expired', { inner: 'expired' })
  return endsAt
}

/** The refusal of a token that proves nothing, and why, for the audit only. */
export function invalid(inner: string) {
  return refuse('credential_invalid', { inner })
}
