/**
 * Verifies identity assertions with the keys of the identity provider that they name. An assertion is redeemed once. Its
 * token belongs to a grant of its own.
 */

import type { Clock } from '../base/clock.ts'
import { claimOf, isText, readJwt } from '../base/crypto/jwt.ts'
import type { Plain } from '../base/json/storable.ts'
import type { Account, Accounts, Arrival } from './accounts.ts'
import { invalid, type KeysOf, proveByIssuer } from './workload.ts'

/** `typ` of an Identity Assertion JWT Authorization Grant. */
const TYPE = 'oauth-id-jag+jwt'
/** From `iat` on; an assertion is made for the moment. Milliseconds, beside the tolerance for clocks. */
const AGE_MAX_MS = 10 * 60_000
const SKEW_MS = 60_000
const JTI_MAX = 256

/** An identity provider of the company, and whom its claims speak of. */
export interface AssertionIssuer {
  readonly issuer: string
  readonly groupsClaim: string
  /** What the claims do not tell is undefined. */
  readonly arrivalOf: (claims: Plain, subject: string) => Arrival
}

/** An assertion that its issuer has signed for us, now. */
export interface IdentityAssertion {
  readonly issuer: string
  readonly subject: string
  readonly claims: Plain
  /** The client that it was issued to, by its id here. */
  readonly clientId: string
  /** By which it is told from others of its issuer. */
  readonly jti: string
  /** From when on it would be refused anyway; milliseconds since the epoch. */
  readonly endsAt: number
}

/** What identity providers say of a user to a client, so that the client gets in here. */
export interface IdentityAssertions {
  /**
   * Proves an assertion (draft-ietf-oauth-identity-assertion-authz-grant, RFC 7523 section 3); whether it was used is not
   * asked. Refuses with credential_invalid, credential_expired or identity_unavailable; why exactly is the inner reason.
   */
  prove(assertion: string): Promise<IdentityAssertion>
  /** Its user, who is made when they come for the first time. Refuses with credential_invalid when inactive. */
  accountOf(proved: IdentityAssertion): Promise<Account>
}

/** @param audience our issuer */
export function createIdentityAssertions(
  issuers: readonly AssertionIssuer[],
  audience: string,
  clock: Clock,
  keysOf: KeysOf,
  accounts: Pick<Accounts, 'arrive' | 'arrived'>,
): IdentityAssertions {
  // A URL without a path may be written with a slash
  const ours: readonly string[] = [audience, `${audience}/`]
  const issuerOf = (name: string | null): AssertionIssuer => {
    const named = issuers.find(({ issuer }) => issuer === name)
    if (named === undefined) throw invalid('wrong issuer')
    return named
  }
  return {
    async prove(assertion) {
      const jwt = readJwt(assertion, [TYPE])
      if (typeof jwt === 'string') throw invalid(jwt)
      if (jwt.type !== TYPE) throw invalid('the typ is not that of an identity assertion')
      const { issuer } = issuerOf(jwt.issuer)
      if (jwt.audience.length !== 1 || !ours.includes(jwt.audience[0]!)) throw invalid('wrong audience')
      const { claims, subject, issuedAt } = jwt
      const { jti, client_id: clientId, cnf } = claims
      if (subject === '') throw invalid('the assertion has no sub')
      if (!isText(jti, JTI_MAX)) throw invalid('the assertion has no jti')
      if (!isText(clientId, JTI_MAX * 8)) throw invalid('the assertion has no client_id')
      // No key is proved here
      if (cnf !== undefined) throw invalid('the assertion is bound to a key')
      if (issuedAt === null) throw invalid('the assertion has no iat')
      const now = clock.now()
      const oldAt = issuedAt * 1000 + AGE_MAX_MS + SKEW_MS
      if (oldAt <= now) throw invalid('the assertion is too old')
      const expiresAt = await proveByIssuer(jwt, `discovery ${issuer}`, keysOf, now)
      return { issuer, subject, claims, clientId, jti, endsAt: Math.min(expiresAt, oldAt) }
    },
    async accountOf({ issuer, claims, subject }) {
      const { groupsClaim, arrivalOf } = issuerOf(issuer)
      const known = await accounts.arrived(issuer, subject)
      // Most assertions name only the user: the groups of the last sign-in stay
      const hasGroups = claimOf(claims, groupsClaim) !== undefined
      if (known === undefined || hasGroups) return accounts.arrive(arrivalOf(claims, subject))
      if (!known.active) throw invalid('the user is inactive')
      return known
    },
  }
}
