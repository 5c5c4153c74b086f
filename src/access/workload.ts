import { toRule } from '../base/claims.ts'
import type { Clock } from '../base/clock.ts'
import { type Jwt, readJwt } from '../base/jwt.ts'
import type { TrustRuleSpec } from '../model/access.ts'
import { toClaimRule } from '../model/profile-auth.ts'
import type { ConfigReader, Resource } from '../store/ports/config.ts'
import { grantsOf } from './identities.ts'
import { invalid, type KeysOf, proveByIssuer } from './issuer-keys.ts'
import type { Principal } from './principal.ts'

/** No bound: a rule that was left out could be that of another identity. */
const ALL = 2 ** 31 - 1

export interface WorkloadTokens {
  /**
   * The service identity for which a token stands that an issuer of a trust rule has signed (RFC 7519), such as that of
   * a pipeline of GitHub or GitLab or of a service account of Kubernetes. Refuses with credential_invalid,
   * credential_expired or identity_unavailable; why exactly is the inner reason, for the audit only.
   */
  verify(token: string): Promise<Principal>
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
      const expiresAt = await proveBy(jwt, rules, clock.now())
      const identity = await reader.byId('service_identities', rules[0].service_identity)
      if (identity?.spec['active'] !== true) throw invalid('the service identity is inactive')
      return {
        id: identity.id,
        type: 'service',
        name: identity.slug,
        authMethod: 'workload_token',
        grants: await grantsOf(reader, identity.id, clock.now()),
        expiresAt,
      }
    },
    async isMeant(token) {
      const jwt = readJwt(token)
      return typeof jwt !== 'string' && (await rulesOfIssuer(jwt, reader)).some((rule) => fits(rule, jwt))
    },
  }

  /** By the keys of one of the rules: an issuer may be told of by several key sets. */
  async function proveBy(jwt: Jwt, rules: readonly TrustRuleSpec[], now: number): Promise<number> {
    let first: unknown
    for (const { issuer, jwks_url } of new Map(rules.map((one) => [one.jwks_url, one])).values()) {
      try {
        const source = jwks_url === null ? `discovery ${issuer}` : `jwks ${jwks_url}`
        return await proveByIssuer(jwt, source, keysOf, now)
      } catch (error) {
        first ??= error
      }
    }
    throw first
  }
}

/** The rules that a token fits. Refuses where those of several identities do: who it is must never hang on their order. */
async function rulesOf(
  jwt: Jwt,
  reader: ConfigReader,
): Promise<readonly [TrustRuleSpec, ...TrustRuleSpec[]]> {
  const known = await rulesOfIssuer(jwt, reader)
  if (known.length === 0) throw invalid('no trust rule is of its issuer')
  const fitting = known.filter((rule) => fits(rule, jwt))
  const identities = new Set(fitting.map(({ service_identity }) => service_identity))
  if (identities.size > 1) throw invalid('trust rules of several service identities fit')
  const [rule, ...others] = fitting
  if (rule === undefined) throw invalid('no trust rule fits its audience and claims')
  return [rule, ...others]
}

async function rulesOfIssuer({ issuer }: Jwt, reader: ConfigReader): Promise<readonly TrustRuleSpec[]> {
  return (await reader.list({ type: 'trust_rules', limit: ALL, where: { issuer } })).map(specOf)
}

function specOf({ spec }: Resource): TrustRuleSpec {
  // Stored by the schema of this type.
  return spec as TrustRuleSpec
}

function fits({ audience, conditions }: TrustRuleSpec, jwt: Jwt): boolean {
  if (!jwt.audience.includes(audience)) return false
  return conditions.every((condition) => toRule(toClaimRule(condition))(jwt.claims))
}
