/**
 * Requests to the token and revocation endpoints of authorization servers. The life of a connection depends on the outcome,
 * which is one of three: tokens, a refusal with an OAuth error code, or a failure that says nothing about the grant.
 */
import type { Configuration, CustomFetch, TokenEndpointResponse } from 'openid-client'
import type { Clock } from '../../base/clock.ts'
import { type Plain, plainIn } from '../../base/json/storable.ts'
import type { UrlSource } from '../../base/net/egress.ts'
import { FetchFailure, type GuardedFetch } from '../../base/net/guarded-fetch.ts'
import type { Links } from '../../shared-state/ports/memory.ts'
import type { ConnectionReader, ConnectionWriter } from '../../store/ports/connections.ts'
import type { OAuthReader, OAuthWriter } from '../../store/ports/oauth.ts'
import type { AsOnlyOne } from '../refresh-claims.ts'
import type { Sealed } from '../server/adapter.ts'
import { type ClientAuthMethod, toClientAuth } from '../sign-in/client-auth.ts'
import { shownError, withoutEmptyMembers } from '../sign-in/oidc.ts'
import { type AuthorizationServer, scopesIn } from './metadata.ts'
import type { ConnectedOrigin, ConnectionHappening, ManualClient } from './port.ts'

/** Postern as a client of one authorization server. */
export interface FederatedClient {
  readonly id: string
  readonly secret: string | null
  readonly method: ClientAuthMethod
  readonly by: 'manual' | 'cimd' | 'dcr'
}

/** An authorization server, and how Postern is known there. */
export interface Party {
  readonly server: AuthorizationServer
  readonly client: FederatedClient
  /** How a URL of the server counts for the egress rule. */
  readonly sourceOf: (url: string) => UrlSource
}

export interface Tokens {
  readonly access: string
  readonly refresh: string | null
  /** Seconds from the answer on; null where it does not say. */
  readonly lifetime: number | null
  /** Null where it is the scope that was asked for (RFC 6749 section 5.1). */
  readonly scope: string | null
  /** Of an authorization server that protects an origin it is not verified, and good for nothing but a label. */
  readonly idToken: string | null
  /** `issued_token_type` of an exchange (RFC 8693). */
  readonly type: string | null
}

export type TokenOutcome =
  | { readonly kind: 'tokens'; readonly tokens: Tokens }
  /** @property error code of RFC 6749 section 5.2 @property reason one line without secrets */
  | { readonly kind: 'refused'; readonly error: string; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string }

/** Expected `state` and PKCE verifier of a callback. */
interface CallbackChecks {
  readonly state: string
  readonly verifier: string
}

type Form = Readonly<Record<string, string>>

export interface TokenClient {
  /** Judges the callback (RFC 9207, RFC 6749 section 4.1.2) and redeems its code. @param callback exact redirect URI with the query that came */
  redeem(party: Party, callback: URL, checks: CallbackChecks, extra: Form): Promise<TokenOutcome>
  refresh(party: Party, token: string, extra: Form): Promise<TokenOutcome>
  /** A grant with parameters of its own, such as RFC 8693 and RFC 7523. */
  grant(party: Party, grantType: string, form: Form): Promise<TokenOutcome>
  /** RFC 7009. Rejects when it did not work. */
  revoke(party: Party, token: string, hint: 'refresh_token' | 'access_token'): Promise<void>
  /** Claims of the person at the userinfo endpoint; none where they cannot be read. */
  userInfo(party: Party, accessToken: string): Promise<Plain>
}

export function createTokenClient({
  fetch,
  clock,
}: {
  readonly fetch: GuardedFetch
  readonly clock: Clock
}): TokenClient {
  async function configured(party: Party, kept: { idToken: string | null }): Promise<Configuration> {
    // Loaded by the first connection: few starts need it
    const oidc = await import('openid-client')
    const { server, client } = party
    const proof = { secret: client.secret, key: null }
    const configuration = new oidc.Configuration(
      {
        issuer: server.issuer,
        authorization_endpoint: server.authorizationEndpoint,
        token_endpoint: server.tokenEndpoint,
        authorization_response_iss_parameter_supported: server.hasIssParameter,
        ...(server.revocationEndpoint === null ? {} : { revocation_endpoint: server.revocationEndpoint }),
      },
      client.id,
      client.secret ?? undefined,
      toClientAuth(client.method, proof, () => clock.now()),
    )
    configuration[oidc.customFetch] = toCustomFetch(fetch, party, kept)
    // Of this machine alone: metadata was judged, and the fetch judges once more
    if (server.issuer.startsWith('http:')) oidc.allowInsecureRequests(configuration)
    return configuration
  }

  async function asked(
    party: Party,
    ask: (configuration: Configuration) => Promise<TokenEndpointResponse>,
  ): Promise<TokenOutcome> {
    const kept = { idToken: null as string | null }
    const outcome = await outcomeOf(async () => ask(await configured(party, kept)))
    return outcome.kind === 'tokens'
      ? { ...outcome, tokens: { ...outcome.tokens, idToken: kept.idToken } }
      : outcome
  }

  return {
    redeem: (party, callback, { state, verifier }, extra) =>
      asked(party, async (configuration) => {
        const { authorizationCodeGrant } = await import('openid-client')
        const checks = { expectedState: state, pkceCodeVerifier: verifier }
        return authorizationCodeGrant(configuration, callback, checks, { ...extra })
      }),
    refresh: (party, token, extra) =>
      asked(party, async (configuration) => {
        const { refreshTokenGrant } = await import('openid-client')
        return refreshTokenGrant(configuration, token, { ...extra })
      }),
    grant: (party, grantType, form) =>
      asked(party, async (configuration) => {
        const { genericGrantRequest } = await import('openid-client')
        return genericGrantRequest(configuration, grantType, { ...form })
      }),
    async revoke(party, token, hint) {
      const { tokenRevocation } = await import('openid-client')
      await tokenRevocation(await configured(party, { idToken: null }), token, { token_type_hint: hint })
    },
    async userInfo({ server, sourceOf }, accessToken) {
      const url = server.userinfoEndpoint
      if (url === null) return {}
      const headers = { Accept: 'application/json', Authorization: `Bearer ${accessToken}` }
      try {
        const { body } = await fetch(
          { url, from: sourceOf(url), method: 'GET', headers, body: null },
          (status) => status === 200,
        )
        return plainIn(body) ?? {}
      } catch (error) {
        if (error instanceof FetchFailure) return {}
        throw error
      }
    },
  }
}

/** What a header of a request to the origin can carry (RFC 6750 section 2.1, and what servers issue beyond it). */
const SENDABLE = /^[!-~]{1,16384}$/

/** Characters of a refresh token: one is kept for each person. */
const REFRESH_MAX = 65_536

/** What a request to a token endpoint has come to. Rejects with a fault of the program. */
export async function outcomeOf(ask: () => Promise<TokenEndpointResponse>): Promise<TokenOutcome> {
  try {
    return toOutcome(await ask())
  } catch (error) {
    const judged = judge(error)
    if (judged === null) throw error
    return judged
  }
}

function toOutcome(answer: TokenEndpointResponse): TokenOutcome {
  const { access_token: access, refresh_token: refresh, expires_in: lifetime, scope } = answer
  const type = answer['issued_token_type']
  if (!SENDABLE.test(access))
    return { kind: 'failed', reason: 'its access token is no token that a header can carry' }
  if (refresh !== undefined && refresh.length > REFRESH_MAX)
    return { kind: 'failed', reason: 'its refresh token is too long' }
  if (answer.token_type !== 'bearer' && answer.token_type !== 'n_a')
    return { kind: 'failed', reason: 'its access token is not of the type Bearer' }
  return {
    kind: 'tokens',
    tokens: {
      access,
      refresh: refresh === undefined || refresh === '' ? null : refresh,
      lifetime: lifetime === undefined || !Number.isFinite(lifetime) ? null : lifetime,
      scope: scope === undefined ? null : scopesIn(scope).join(' '),
      idToken: answer.id_token ?? null,
      type: typeof type === 'string' ? type : null,
    },
  }
}

/** Errors that some servers name in their own words. */
const OWN_ERRORS: ReadonlyMap<string, string> = new Map([
  ['bad_refresh_token', 'invalid_grant'],
  ['bad_verification_code', 'invalid_grant'],
  ['incorrect_client_credentials', 'invalid_client'],
])

/** Codes with which a server says that it has a fault itself. */
const SERVER_ERRORS: ReadonlySet<string> = new Set(['server_error', 'temporarily_unavailable', 'slow_down'])

function judge(error: unknown): TokenOutcome | null {
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    if (one instanceof FetchFailure) return { kind: 'failed', reason: one.message }
    if ('error' in one && typeof one.error === 'string') {
      const reason = `it answered ${shownError(one as never)}`
      if (SERVER_ERRORS.has(one.error)) return { kind: 'failed', reason }
      return { kind: 'refused', error: OWN_ERRORS.get(one.error) ?? one.error, reason }
    }
    if ('code' in one && typeof one.code === 'string' && one.code.startsWith('OAUTH_'))
      return { kind: 'failed', reason: one.message }
  }
  return null
}

/**
 * An ID token is taken out of the answer before openid-client reads it. It is only a label here: an answer that carries a rotated
 * refresh token must not be lost because of it.
 */
function toCustomFetch(
  send: GuardedFetch,
  { sourceOf }: Party,
  kept: { idToken: string | null },
): CustomFetch {
  return async (url, { method, headers, body }) => {
    // All that is ever sent is a form
    const bytes = body == null ? null : Buffer.from(String(body))
    const answer = await send({ url, from: sourceOf(url), method, headers, body: bytes })
    const { status } = answer
    // Whatever else comes, and a redirect, says nothing of the grant
    const isAnswer = status === 200 || (status >= 400 && status < 500 && status !== 408 && status !== 429)
    if (!isAnswer) throw new FetchFailure(`it answered ${status}`, status)
    const value = plainIn(answer.body)
    // A revocation needs none; elsewhere it is no answer
    if (value === null) return new Response(null, { status })
    if (typeof value['id_token'] === 'string') kept.idToken = value['id_token']
    delete value['id_token']
    // Some answer 200 with an error
    const isError =
      status === 200 && typeof value['error'] === 'string' && value['access_token'] === undefined
    // No field of the head counts, and a challenge would hide the error in the body (RFC 6749 section 5.2)
    return new Response(JSON.stringify(withoutEmptyMembers(value)), {
      status: isError ? 400 : status,
      headers: { 'content-type': 'application/json' },
    })
  }
}

// What the modules of this folder are made with.

/** Tokens of a person that an identity provider of the company has issued to Postern. */
export interface IdentityTokens {
  /** The provider at which the person signed in. */
  readonly issuer: string
  readonly idToken: string
  /** Null if there is none, or if it has ended. */
  readonly accessToken: string | null
}

/** Postern as a client of the identity providers, for the modes that exchange their tokens. */
export interface IdentityExchange {
  /** Valid tokens of the person; null if there are none, so that the person must sign in again. */
  tokensOf(user: string): Promise<IdentityTokens | null>
  /** RFC 8693 at the token endpoint of that provider. */
  exchange(issuer: string, form: Readonly<Record<string, string>>): Promise<TokenOutcome>
}

export interface FederationParts {
  readonly connections: ConnectionReader
  /** One transaction. */
  readonly writeConnections: <T>(work: (writer: ConnectionWriter) => Promise<T>) => Promise<T>
  /** Where clients that registered themselves are kept, and endings of sign-ins. */
  readonly artifacts: Pick<OAuthReader, 'artifact' | 'lastEnding' | 'hasEnded'>
  readonly writeArtifacts: <T>(work: (writer: OAuthWriter) => Promise<T>) => Promise<T>
  /** Refreshes a grant while no other process does. */
  readonly asOnlyOne: AsOnlyOne
  /** Connections that are being made, sealed, by the hash of their `state`. */
  readonly links: Links<string>
  readonly sealed: Pick<Sealed, 'seal' | 'open' | 'hash'>
  readonly clock: Clock
  readonly fetch: GuardedFetch
  readonly origin: (id: string) => Promise<ConnectedOrigin | null>
  /**
   * Whether `by` may connect the account of `user` at the origin with that id. Asked within the transaction that stores the account: much
   * may have changed while an authorization server answered.
   */
  readonly mayConnect: (user: string, origin: string, by: string) => Promise<boolean>
  readonly manualClient: (origin: ConnectedOrigin) => Promise<ManualClient | null>
  /** Origin of the URLs of Postern, such as `https://gateway.example.com`. */
  readonly postern: string
  /** Called with ids of connections whose tokens must no longer be used. Resolves when they are used nowhere. Never rejects. */
  readonly ended: (connections: readonly string[]) => Promise<unknown>
  readonly happened: (happening: ConnectionHappening) => void
  /** Logs a warning: a sentence without secrets. */
  readonly warn: (sentence: string) => void
  /** Absolute URL of the page on which the person connects the account. */
  readonly pageOf: (originSlug: string, user: string) => string
  /** Null without an identity provider. */
  readonly identity: IdentityExchange | null
}
