/**
 * Verifies access tokens of identity providers, each with the keys and rules of its issuer. A matching trust rule comes
 * first. The stored user is written if a claim has changed.
 */
import type { Clock } from '../base/clock.ts'
import { claimsIssuer, type Jwt, readJwt } from '../base/crypto/jwt.ts'
import type { Protected } from '../base/doors.ts'
import type { Plain } from '../base/json/plain.ts'
import type { Accounts, Arrival } from './accounts.ts'
import { invalid, type KeysOf, proveByIssuer } from './issuer-keys.ts'
import type { Principal } from './principal.ts'

/** An identity provider whose access tokens are taken as they are. */
export interface DirectIssuer {
  readonly issuer: string
  /** As what the gateway is registered there to sign people in: the audience of ID tokens. */
  readonly clientId: string
  /** One of these must be in `aud`. */
  readonly audiencesOf: (resource: Protected) => readonly string[]
  /** Whom claims speak of. What they do not tell is undefined. */
  readonly arrivalOf: (claims: Plain, subject: string) => Arrival
}

export interface DirectTokens {
  /** True when a token says that it is of one of the identity providers; nothing in it is proved. */
  claims(token: string): boolean
  /**
   * The user for whom an access token of a provider stands at one resource (RFC 9068 section 4), taken over as when
   * they sign in. Refuses with credential_invalid, credential_expired or identity_unavailable; why exactly is the inner
   * reason.
   */
  verify(token: string, resource: Protected): Promise<Principal>
}

/** Takes access tokens of these identity providers, whose keys come from `keysOf`. */
export function createDirectTokens(
  issuers: readonly DirectIssuer[],
  clock: Clock,
  keysOf: KeysOf,
  accounts: Pick<Accounts, 'arrive' | 'principalOf'>,
): DirectTokens {
  return {
    claims: (token) => issuers.some(({ issuer }) => claimsIssuer(token, issuer)),
    async verify(token, resource) {
      const jwt = readJwt(token)
      if (typeof jwt === 'string') throw invalid(jwt)
      const named = issuers.find(({ issuer }) => issuer === jwt.issuer)
      if (named === undefined) throw invalid('wrong issuer')
      const { issuer, clientId, audiencesOf, arrivalOf } = named
      const fault = faultOf(jwt, clientId)
      if (fault !== null) throw invalid(fault)
      const audiences = audiencesOf(resource)
      if (!jwt.audience.some((audience) => audiences.includes(audience))) throw invalid('wrong audience')
      const expiresAt = await proveByIssuer(jwt, `discovery ${issuer}`, keysOf, clock.now())
      const { id } = await accounts.arrive(arrivalOf(jwt.claims, jwt.subject))
      return accounts.principalOf(id, { authMethod: 'oidc', expiresAt, ceiling: null })
    },
  }
}

/** Claims of OpenID Connect Core 1.0 sections 2 and 3.3.2.11 that an access token does not have. */
const OF_ID_TOKENS = ['nonce', 'at_hash', 'c_hash', 's_hash'] as const

/**
 * Why it is no access token of a person; null when it is. Providers differ in what they write into `typ`, so an ID token
 * is known by its audience, which is always its client, and by its claims; some say in a claim of that name which it is.
 */
function faultOf({ claims, audience, subject }: Jwt, clientId: string): string | null {
  if (audience.includes(clientId)) return 'an ID token: its audience is the client'
  const name = OF_ID_TOKENS.find((one) => Object.hasOwn(claims, one))
  if (name !== undefined) return `an ID token: it holds ${name}`
  const { typ, client_id, azp, idtyp } = claims
  if (typ !== undefined && (typeof typ !== 'string' || typ.toLowerCase() !== 'bearer'))
    return 'no access token by its claim typ'
  if (subject === '') return 'the token has no sub'
  // RFC 9068 section 2.2: without a person the subject is the client. Trust rules are for those.
  if (subject === client_id || subject === azp || idtyp === 'app')
    return 'the token of a client, not of a person'
  return null
}
