/**
 * Verifies tokens of Postern's authorization server, which are JWTs for one resource. The protocol engine is not needed:
 * signature, audience and age are checked, and with each request whether the account and the grant (or the trust rule of a
 * workload) still exist.
 */
import { type Clock, hasEnded } from '../base/clock.ts'
import { type NamedKey, readJwk, signingKeyOf } from '../base/crypto/jws.ts'
import { BINDING_CLAIM, claimsIssuer, type Jwt, readJwt } from '../base/crypto/jwt.ts'
import type { Protected } from '../base/doors.ts'
import type { ProtectedResources } from '../base/http/origins.ts'
import type { Plain } from '../base/json/storable.ts'
import { Lru } from '../base/memory/lru.ts'
import { refuse } from '../base/refusal.ts'
import type { ConfigReader } from '../store/ports/config.ts'
import type { Accounts, Arrival } from './accounts.ts'
import type { Principal } from './principal.ts'
import { ceilingOf } from './scopes.ts'
import { invalid, isTrusted, type KeysOf, proveByIssuer } from './workload.ts'

/** Claim of a token that was given for that of a workload: the trust rule as it was then. */
export const TRUST_RULE = 'trust_rule'

/** Keys that are held parsed. */
const KEYS_MAX = 16

export interface OAuthTokens {
  /** True when a token says that it is of our authorization server; nothing in it is proved. */
  claims(token: string): boolean
  /**
   * Who an access token stands for at one resource (RFC 9068 section 4). It ends with the grant or the trust rule that it
   * came from, and with the account. Refuses with credential_invalid or credential_expired; why exactly is the inner reason.
   */
  verify(token: string, resource: Protected): Promise<Principal>
  /**
   * The user or the agent of an access token for an MCP endpoint of gateway threads. They may be inactive: each thread checks that in its
   * snapshot.
   * Refuses as `verify` does.
   */
  signedIn(token: string, resource: Protected): Promise<SignedInToken>
}

interface SignedInToken {
  /** Null for an agent that acts for itself. */
  readonly user: string | null
  /** Null for a token that an agent got for itself. */
  readonly grant: string | null
  readonly scopes: readonly string[]
  /** Milliseconds since the epoch. */
  readonly until: number
}

/** Access tokens of our own authorization server. */
export function createOAuthTokens(
  reader: Pick<ConfigReader, 'oauth' | 'byId'>,
  clock: Clock,
  accounts: Pick<Accounts, 'principalOf'>,
  issuer: string,
  resources: Pick<ProtectedResources, 'nameOf'>,
): OAuthTokens {
  const parsed = new Lru<string, NamedKey>(KEYS_MAX)

  async function keys(): Promise<readonly NamedKey[]> {
    const stored = await reader.oauth.keys()
    return stored.flatMap(({ id, public: text }) => {
      if (text === null) return []
      const key = parsed.get(id) ?? readJwk(JSON.parse(text) as Plain)
      parsed.set(id, key)
      return [key]
    })
  }

  async function demandGrant({ claims, subject }: Jwt, now: number): Promise<void> {
    const { grant_id, [TRUST_RULE]: rule } = claims
    if (grant_id === undefined && subject.startsWith('svc_')) {
      // It delegates nothing: what ends its tokens is its own end, or that of the rule by which one was given
      if (rule === undefined || (typeof rule === 'string' && (await isTrusted(rule, reader)))) return
      throw invalid('the trust rule was deleted or changed')
    }
    // Gateway threads know whether binding, host and the token of the binding stand
    if (grant_id === undefined && isOfAgent(claims)) return
    const grant = typeof grant_id === 'string' ? await reader.oauth.artifact('Grant', grant_id) : undefined
    if (grant === undefined || grant.account_id !== subject) throw invalid('the grant was revoked')
    if (grant.expires_at !== null && grant.expires_at <= now) throw invalid('the grant has ended')
  }

  async function proved(token: string, resource: Protected): Promise<Jwt & { readonly expiresAt: number }> {
    const jwt = readJwt(token)
    if (typeof jwt === 'string') throw invalid(jwt)
    if (jwt.type !== 'at+jwt') throw invalid('no access token')
    const key = signingKeyOf(jwt, await keys())
    if (typeof key === 'string') throw invalid(key)
    if (jwt.issuer !== issuer) throw invalid('wrong issuer')
    if (!jwt.audience.includes(resources.nameOf(resource))) throw invalid('wrong audience')
    const now = clock.now()
    const expiresAt = (jwt.expires ?? 0) * 1000
    if (hasEnded((jwt.issuedAt ?? 0) * 1000, expiresAt, now))
      throw refuse('credential_expired', { inner: 'expired' })
    await demandGrant(jwt, now)
    return { ...jwt, expiresAt }
  }

  return {
    claims: (token) => claimsIssuer(token, issuer),
    async verify(token, resource) {
      const { expiresAt, ...jwt } = await proved(token, resource)
      const scopes = scopeOf(jwt)
      const proof = { authMethod: 'oauth', expiresAt, ceiling: ceilingOf(scopes) }
      return { ...(await accounts.principalOf(jwt.subject, proof)), scopes }
    },
    async signedIn(token, resource) {
      const { expiresAt, ...jwt } = await proved(token, resource)
      const { grant_id: grant } = jwt.claims
      const user = jwt.subject.startsWith('usr_') ? jwt.subject : null
      if ((user === null || typeof grant !== 'string') && !isOfAgent(jwt.claims))
        throw invalid('the token belongs to no person')
      return {
        user,
        grant: typeof grant === 'string' ? grant : null,
        scopes: scopeOf(jwt).split(' '),
        until: expiresAt,
      }
    },
  }
}

function isOfAgent(claims: Plain): boolean {
  return typeof claims[BINDING_CLAIM] === 'string'
}

function scopeOf({ claims }: Jwt): string {
  return typeof claims['scope'] === 'string' ? claims['scope'] : ''
}

// Verifies access tokens of identity providers, each with the keys and rules of its issuer. A matching trust rule comes
// first. The stored user is written if a claim has changed.

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
  if (name !== undefined) return `an ID token: it contains ${name}`
  const { typ, client_id, azp, idtyp } = claims
  if (typ !== undefined && (typeof typ !== 'string' || typ.toLowerCase() !== 'bearer'))
    return 'the claim typ is not that of an access token'
  if (subject === '') return 'the token has no sub'
  // RFC 9068 section 2.2: without a person the subject is the client. Trust rules are for those.
  if (subject === client_id || subject === azp || idtyp === 'app')
    return 'the token of a client, not of a person'
  return null
}
