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
import type { Plain } from '../base/json/plain.ts'
import { Lru } from '../base/memory/lru.ts'
import { refuse } from '../base/refusal.ts'
import type { ConfigReader } from '../store/ports/config.ts'
import type { Accounts } from './accounts.ts'
import { invalid } from './issuer-keys.ts'
import type { Principal } from './principal.ts'
import { ceilingOf } from './scopes.ts'
import { isTrusted } from './workload.ts'

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
      throw invalid('the trust rule is gone or changed')
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
        throw invalid('the token is of no person')
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
