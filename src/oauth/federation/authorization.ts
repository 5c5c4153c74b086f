/**
 * How a person, or an administrator for all callers, connects an account at an origin: authorization code with PKCE (RFC 7636),
 * resource indicators (RFC 8707) and the check of the issuer (RFC 9207).
 *
 * 1. The person agrees to what the origin asks for before anything is registered or kept. If the origin names another server, endpoint
 *    or scope after that, the person is asked again.
 * 2. The hash of its `state` finds an attempt once, within {@link FLOW_MS}, and only in the browser of the person who began it.
 * 3. The authorization server is recorded before the browser leaves: the code goes to no other, whatever the origin says by then.
 * 4. A response of another issuer, or at the redirect URI of another issuer, is refused before anything else of it is read or shown.
 * 5. The account is stored only if the person may still connect it, their sign-in has not ended, and the origin is still the same: all
 *    are read in the transaction that stores it, after the authorization server has answered.
 */
import { hash, randomBytes } from 'node:crypto'
import { readJwt } from '../../base/crypto/jwt.ts'
import { hashToken } from '../../base/crypto/token.ts'
import type { Plain } from '../../base/json/storable.ts'
import { FetchFailure } from '../../base/net/guarded-fetch.ts'
import { type Refusal, refuse } from '../../base/refusal.ts'
import { withQuery } from '../../base/text/url.ts'
import { printable } from '../../base/text/visible.ts'
import { SHARED } from '../../model/access/caller.ts'
import type { ConnectionWriter, StoredConnection } from '../../store/ports/connections.ts'
import { revokeAll } from './broker.ts'
import { type Discovered, type Discovery, sourceOf } from './discovery.ts'
import { endOf, hostOf, newId, openTokens, sealTokens, withMore, withoutLacked } from './kept-tokens.ts'
import { type AuthorizationServer, scopesIn, Unusable } from './metadata.ts'
import type { ConnectedOrigin, ConnectOffer, Federation, ManualClient, OriginAuthorization } from './port.ts'
import type { Registrations } from './registrations.ts'
import type { FederatedClient, FederationParts, Party, TokenClient, Tokens } from './token-client.ts'

/** Milliseconds that a person may take at the authorization server. */
const FLOW_MS = 10 * 60_000

/** A connection that is being made; it is kept sealed. */
interface Flow {
  readonly user: string
  readonly origin: string
  /** URL of the origin when the browser left. */
  readonly url: string
  readonly by: string
  /** The last ending of sign-ins before the browser left. */
  readonly since: number
  readonly verifier: string
  readonly server: AuthorizationServer
  readonly client: FederatedClient
  readonly resource: string | null
  readonly scope: string
  readonly returnTo: string
  /** To which the response must come (RFC 9700 section 4.4.2). */
  readonly redirectUri: string
}

/** What is to be agreed to, and what follows from it. */
interface Plan {
  readonly manual: ManualClient | null
  readonly at: Omit<Party, 'client'>
  readonly scopes: readonly string[]
  readonly offer: ConnectOffer
}

const FLOW = 'ConnectionFlow'

const modeOf = ({ user }: Flow): ConnectedOrigin['mode'] => (user === SHARED ? 'shared_oauth' : 'user_oauth')

type Parts = FederationParts & {
  readonly discovery: Discovery
  readonly registrations: Registrations
  readonly tokens: TokenClient
}

/** Scopes to ask for; empty for none (MCP 2026-07-28, scope selection; SEP-2207 on `offline_access`). */
export function scopesFor({ oauth }: Pick<ConnectedOrigin, 'oauth'>, found: Discovered): readonly string[] {
  if (!oauth.send_scope) return []
  if (oauth.scopes.length > 0) return oauth.scopes
  const isOffered = found.server.scopes.includes('offline_access') && !found.scopes.includes('offline_access')
  return isOffered ? [...found.scopes, 'offline_access'] : found.scopes
}

export function createAuthorization(
  parts: Parts,
): Pick<Federation, 'authorization' | 'offer' | 'begin' | 'finish'> {
  const { sealed, clock, links, discovery, registrations, tokens } = parts

  async function planOf(user: string, origin: ConnectedOrigin): Promise<Plan> {
    const before = await parts.connections.one(user, origin.id)
    if (before?.active === false) throw switchedOff(origin)
    const manual = await parts.manualClient(origin)
    const found = await discovery.find(origin, (server) => registrations.faultOf(origin, manual, server))
    const asked = scopesFor(origin, found)
    const scopes = withMore(asked, origin, found.server, before, openTokens(sealed, before))
    const at = { server: found.server, sourceOf: (url: string) => sourceOf(origin, url) }
    return { manual, at, scopes, offer: offerOf(origin, found, scopes) }
  }

  async function authorization(origin: ConnectedOrigin): Promise<OriginAuthorization> {
    const manual = await parts.manualClient(origin)
    // A server at which no client can be registered by itself is what an administrator asks about
    const found = await discovery
      .find(origin, () => null)
      .catch((error: unknown) => {
        throw unusable(origin, error)
      })
    const { server } = found
    const { by, redirectUri } = await registrations.wayAt(origin, manual, server)
    const { elsewhere } = offerOf(origin, found, [])
    const fault = registrations.faultOf(origin, manual, server)
    // The next who asks finds what has been corrected
    if (fault !== null) discovery.forget(origin.id)
    return {
      ...{ issuer: server.issuer, registration: by, redirectUri, elsewhere },
      hasIssParameter: server.hasIssParameter,
      fault,
    }
  }

  async function offer(user: string, origin: ConnectedOrigin): Promise<ConnectOffer> {
    const plan = await planOf(user, origin).catch((error: unknown) => {
      throw unusable(origin, error)
    })
    return plan.offer
  }

  async function begin(
    user: string,
    origin: ConnectedOrigin,
    by: string,
    returnTo: string,
    agreed: string,
  ): Promise<URL | ConnectOffer> {
    const since = await parts.artifacts.lastEnding()
    const got = await agreedPlan(user, origin, agreed).catch((error: unknown) => {
      throw unusable(origin, error)
    })
    if (!('client' in got)) return got
    const { server, client, scopes, resource: sent } = got
    const [state, verifier] = [randomText(), randomText()]
    const scope = scopes.join(origin.oauth.scope_delimiter)
    const redirectUri = await registrations.redirectUri(origin.id, server.issuer, client)
    const query = {
      response_type: 'code',
      client_id: client.id,
      redirect_uri: redirectUri,
      state,
      code_challenge: hash('sha256', verifier, 'base64url'),
      code_challenge_method: 'S256',
      ...(sent === null ? {} : { resource: sent }),
      ...(scope === '' ? {} : { scope }),
      // Some servers demand one of whoever asks for openid (OpenID Connect Core 1.0 section 3.1.2.1)
      ...(scopes.includes('openid') ? { nonce: nonceOf(verifier) } : {}),
      // OpenID Connect Core 1.0 section 11
      ...(scopes.includes('offline_access') ? { prompt: 'consent' } : {}),
    }
    const url = withQuery(server.authorizationEndpoint, query)
    const flow: Flow = {
      // Its scopes have served their purpose
      ...{
        user,
        origin: origin.id,
        url: origin.url,
        by,
        since,
        verifier,
        server: { ...server, scopes: [] },
        client,
      },
      ...{ resource: sent, scope: scopes.join(' '), returnTo, redirectUri },
    }
    const key = hashToken(state)
    if (!(await links.put(key, sealed.seal(JSON.stringify(flow), FLOW, key), FLOW_MS, by)))
      throw refuse('overloaded', {
        detail: 'Too many accounts are being connected at the moment. Try again in ten minutes.',
      })
    return url
  }

  /** The client and the rest of what the person has agreed to, or the offer as it is by now. */
  async function agreedPlan(user: string, origin: ConnectedOrigin, agreed: string) {
    const { manual, at, scopes, offer: current } = await planOf(user, origin)
    if (current.digest !== agreed) return current
    const client = await registrations.clientFor(origin, manual, at, scopes)
    return { server: at.server, client, scopes, resource: current.resource }
  }

  async function finish(callback: URL, by: string): Promise<{ origin: string; returnTo: string }> {
    const state = callback.searchParams.get('state') ?? ''
    const key = hashToken(state)
    const kept = await links.take(key)
    if (kept === null)
      throw refuse('credential_invalid', {
        detail: 'This attempt to connect is unknown, used or older than ten minutes. Begin again.',
      })
    // Sealed by this file from this very type
    const flow = JSON.parse(sealed.open(kept, FLOW, key)) as Flow
    if (flow.by !== by)
      throw refuse('credential_invalid', {
        detail: 'Another person has begun to connect this account. Begin again.',
      })
    const origin = await originOf(flow)
    const issuer = flow.server.issuer
    try {
      await redeem(callback, state, flow, origin)
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'fault'
      parts.happened({ event: 'connect_failed', user: flow.user, origin: origin.id, reason, issuer })
      throw error
    }
    parts.happened({ event: 'connected', user: flow.user, origin: origin.id, reason: null, issuer })
    return { origin: origin.id, returnTo: flow.returnTo }
  }

  /** The origin of a flow, if it is what it was when the browser left. */
  async function originOf(flow: Flow): Promise<ConnectedOrigin> {
    const origin = await parts.origin(flow.origin)
    if (origin === null || !origin.active || origin.url !== flow.url || origin.mode !== modeOf(flow))
      throw refuse('configuration_invalid', {
        detail: 'The MCP server was changed while you connected. Begin again.',
      })
    return origin
  }

  /** Within a transaction. */
  async function demandStill(flow: Flow): Promise<void> {
    const { name } = await originOf(flow)
    if (!(await parts.mayConnect(flow.user, flow.origin, flow.by)))
      throw refuse('permission_denied', { detail: `You may no longer connect this account at ${name}.` })
    if (await parts.artifacts.hasEnded(flow.by, flow.since))
      throw refuse('permission_denied', { detail: 'Your sign-in has ended since you began. Begin again.' })
  }

  async function redeem(callback: URL, state: string, flow: Flow, origin: ConnectedOrigin): Promise<void> {
    const { server, client, resource, verifier, redirectUri } = flow
    const exact = new URL(redirectUri)
    if (callback.pathname !== exact.pathname)
      throw refuse('credential_invalid', {
        detail: `The response for ${origin.name} came to the redirect URI of another authorization server. Begin again.`,
      })
    const party = { server, client, sourceOf: (url: string) => sourceOf(origin, url) }
    exact.search = callback.search
    const answer = await tokens.redeem(
      party,
      exact,
      { state, verifier },
      resource === null ? {} : { resource },
    )
    switch (answer.kind) {
      case 'tokens':
        return keep(flow, party, answer.tokens)
      case 'failed':
        throw refuse('credential_invalid', {
          detail: `The authorization server of ${origin.name} gave no token: ${answer.reason}. Begin again.`,
        })
      case 'refused':
        if (answer.error === 'invalid_client' || answer.error === 'unauthorized_client')
          await registrations.forget(origin.id, server.issuer, client)
        if (answer.error === 'invalid_scope') await forgetLacked(flow)
        throw refuse('credential_invalid', {
          detail: `The authorization server of ${origin.name} did not allow it: ${answer.reason}.`,
        })
    }
  }

  /** Connecting goes on without the scopes that the server does not know. */
  async function forgetLacked({ user, origin }: Flow): Promise<void> {
    await parts.writeConnections(async (writer) => {
      const row = withoutLacked(sealed, await writer.one(user, origin))
      if (row !== null) await writer.put({ ...row, updated_at: clock.now() })
    })
  }

  async function keep(flow: Flow, party: Party, given: Tokens): Promise<void> {
    const now = clock.now()
    const { user, origin, server, client, resource } = flow
    const label = await labelOf(party, given, flow)
    const sealedTokens = sealTokens(sealed, flow, {
      ...{ grant: newId(), generation: 1, access: given.access, refresh: given.refresh },
      ...{ obtainedAt: now, server, client, resource, host: hostOf(flow.url) },
      ...{ asked: scopesIn(flow.scope), lacked: [], futile: [] },
    })
    const row: StoredConnection = {
      ...{ user, origin, id: newId(), kind: 'oauth', state: 'connected', active: true },
      ...{ account_label: label, issuer: server.issuer, scope: given.scope ?? flow.scope },
      ...{ sealed: sealedTokens, expires_at: endOf(given.lifetime, now), created_at: now, updated_at: now },
    }
    const store = async (writer: ConnectionWriter) => {
      await demandStill(flow)
      const found = await writer.one(user, origin)
      // What an administrator has switched off stays so
      await writer.put(found?.active === false ? { ...row, active: false } : row)
      return found
    }
    const before = await parts.writeConnections(store).catch(async (error: unknown) => {
      await revokeAll(tokens, party, given)
      throw error
    })
    if (before !== undefined) await parts.ended([before.id])
  }

  async function labelOf(party: Party, given: Tokens, { scope: asked, verifier }: Flow): Promise<string> {
    const jwt = given.idToken === null ? 'none' : readJwt(given.idToken)
    const isOfFlow =
      typeof jwt !== 'string' && (jwt.claims['nonce'] ?? nonceOf(verifier)) === nonceOf(verifier)
    const told = isOfFlow ? labelIn(jwt.claims) : ''
    if (told !== '' || !(given.scope ?? asked).split(' ').includes('openid')) return told
    return labelIn(await tokens.userInfo(party, given.access))
  }

  return { authorization, offer, begin, finish }
}

/** Endpoints that get something of the person or of the connection, by what they are for. */
const USES: readonly (readonly [keyof AuthorizationServer, string])[] = [
  ['authorizationEndpoint', 'Sign-in page'],
  ['tokenEndpoint', 'Gets the code and issues tokens'],
  ['registrationEndpoint', 'Registers Postern'],
  ['revocationEndpoint', 'Gets tokens that end'],
  ['userinfoEndpoint', 'Gets the access token, for your name'],
]

function offerOf(origin: ConnectedOrigin, found: Discovered, scopes: readonly string[]): ConnectOffer {
  const { server } = found
  const hostIn = (url: unknown): string | null => (typeof url === 'string' ? new URL(url).host : null)
  const own = new URL(server.issuer).host
  const elsewhere = USES.flatMap(([member, use]) => {
    const host = hostIn(server[member])
    return host === null || host === own ? [] : [{ use, host }]
  })
  const shown = {
    ...{ url: origin.url, issuer: server.issuer, signInHost: new URL(server.authorizationEndpoint).host },
    ...{ elsewhere, scopes, resource: origin.oauth.send_resource ? found.resource : null },
    isOwnServer: own === new URL(origin.url).host,
  }
  const endpoints = USES.map(([member]) => server[member])
  return { ...shown, digest: hash('sha256', JSON.stringify([origin.id, shown, endpoints]), 'base64url') }
}

/** 256 bits: more than RFC 7636 section 7.1 asks of verifiers. */
const randomText = (): string => randomBytes(32).toString('base64url')

/** Known from the verifier, which stays here. */
const nonceOf = (verifier: string): string => hash('sha256', `nonce ${verifier}`, 'base64url')

const LABEL_MAX = 200

/** Who the person is there, as far as the claims say; it is only shown. */
function labelIn(claims: Plain): string {
  const named = ['email', 'preferred_username', 'name'].map((name) => claims[name])
  const text = named.find((value) => typeof value === 'string' && value !== '')
  return typeof text === 'string' ? printable(text.slice(0, LABEL_MAX)) : ''
}

export function switchedOff(origin: ConnectedOrigin): Refusal {
  return refuse('permission_denied', {
    detail: `Your connection to ${origin.name} is inactive. Ask an administrator to activate it.`,
  })
}

/** Passes on what is no fault of the origin or its servers. */
function unusable(origin: ConnectedOrigin, error: unknown): unknown {
  if (!(error instanceof Unusable) && !(error instanceof FetchFailure)) return error
  return refuse('configuration_invalid', {
    detail: `${origin.name} cannot be connected: ${error.message}.`,
  })
}
