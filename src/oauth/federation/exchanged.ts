/**
 * Tokens that Postern gets for a person without asking the person. It exchanges what the identity provider issued at sign-in.
 * These tokens are in memory only. A stored connection without tokens names the person, so that an administrator can switch
 * it off.
 *
 * `id_jag`: the identity provider turns the ID token into an identity assertion (RFC 8693). The authorization server of the
 * origin accepts the assertion and issues an access token (RFC 7523; draft-ietf-oauth-identity-assertion-authz-grant, MCP
 * enterprise-managed authorization).
 *
 * `token_exchange`: RFC 8693 at the authorization server of the origin, or at the identity provider if both are the same
 * server.
 *
 * 1. Concurrent calls of one person for one origin share one exchange.
 * 2. The access token of an identity provider is sent to no other server.
 */

import { Lru } from '../../base/memory/lru.ts'
import { FetchFailure } from '../../base/net/guarded-fetch.ts'
import { Refusal } from '../../base/refusal.ts'
import type { ConnectionAnswer, RefusedConnection } from '../../model/access/caller.ts'
import type { StoredConnection } from '../../store/ports/connections.ts'
import type { Broker } from './broker.ts'
import { type Discovered, type Discovery, sourceOf } from './discovery.ts'
import { endOf, newId } from './kept-tokens.ts'
import { Unusable } from './metadata.ts'
import type { ConnectedOrigin, ManualClient } from './port.ts'
import type { Registrations } from './registrations.ts'
import type {
  FederationParts,
  IdentityExchange,
  IdentityTokens,
  TokenClient,
  TokenOutcome,
  Tokens,
} from './token-client.ts'

const TYPE = 'urn:ietf:params:oauth:token-type:'
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** Lifetime of a token whose server names none, milliseconds. */
const LIFETIME_MS = 5 * 60_000
/** A token is exchanged anew so long before its end, but not before three quarters of its life; milliseconds. */
const EARLY_MS = 60_000
/** Between two exchanges that an origin forces by refusing tokens, and after one that failed; milliseconds. */
const FORCED_MS = 1000
const FAILED_MS = 5000
/** How often it is written that a connection is in use, milliseconds. */
const USED_MS = 60 * 60_000
const TOKENS_MAX = 10_000

type Unavailable = Extract<ConnectionAnswer, { ok: false }>

interface Kept {
  /** What of the origin it depends on. */
  readonly of: string
  readonly answer: Extract<ConnectionAnswer, { ok: true }>
  /** Milliseconds since the epoch. */
  readonly endsAt: number
  /** Monotonic. */
  readonly issuedAt: number
}

type Parts = Pick<
  FederationParts,
  'identity' | 'clock' | 'manualClient' | 'pageOf' | 'ended' | 'happened' | 'connections' | 'writeConnections'
> & {
  readonly discovery: Discovery
  readonly registrations: Registrations
  readonly tokens: TokenClient
}

/** Why there is no token: an answer to the gateway thread, thrown on the way. */
class NoToken extends Error {
  readonly answer: Unavailable

  constructor(answer: Unavailable) {
    super(answer.reason)
    this.name = 'NoToken'
    this.answer = answer
  }
}

export function createExchanged(parts: Parts): Broker {
  const { clock, identity, discovery, registrations } = parts
  const kept = new Lru<string, Kept>(TOKENS_MAX)
  const failed = new Lru<
    string,
    { readonly of: string; readonly answer: Unavailable; readonly until: number }
  >(TOKENS_MAX)
  const flights = new Map<string, Promise<ConnectionAnswer>>()

  async function answer(
    user: string,
    origin: ConnectedOrigin,
    refused: RefusedConnection | null,
  ): Promise<ConnectionAnswer> {
    const key = JSON.stringify([user, origin.id])
    const of = JSON.stringify([origin.url, origin.mode, origin.oauth])
    const row = await parts.connections.one(user, origin.id)
    if (row?.active === false)
      return unavailable(`The connection to ${origin.name} is inactive. An administrator can activate it.`)
    const known = kept.get(key)
    const isKnown = known?.of === of && isMarker(row) && row.id === known.answer.connection
    const current = isKnown ? known : undefined
    const isRefused =
      current !== undefined &&
      refused?.connection === current.answer.connection &&
      refused.generation >= current.answer.generation
    if (current !== undefined && !isRefused && clock.now() < current.answer.until) return current.answer
    if (current !== undefined && refused?.challenge !== undefined)
      return unavailable(`${origin.name} does not allow this call to the account.`)
    if (isRefused && clock.monotonic() < current.issuedAt + FORCED_MS)
      return unavailable(`${origin.name} refuses a token that has just been issued.`)
    const failure = failed.get(key)
    const isFailed = failure?.of === of && clock.monotonic() < failure.until
    const running = flights.get(key + of)
    const next = running ?? (isFailed ? failure.answer : start(key, of, user, origin))
    const got = await next
    // A token is used to its end
    return !got.ok && current !== undefined && !isRefused && clock.now() < current.endsAt
      ? { ...current.answer, until: Math.min(current.endsAt, clock.now() + FAILED_MS) }
      : got
  }

  function start(key: string, of: string, user: string, origin: ConnectedOrigin): Promise<ConnectionAnswer> {
    const flight = exchanged(key, of, user, origin).finally(() => flights.delete(key + of))
    flights.set(key + of, flight)
    return flight
  }

  async function exchanged(
    key: string,
    of: string,
    user: string,
    origin: ConnectedOrigin,
  ): Promise<ConnectionAnswer> {
    try {
      const { issuer, tokens } = await tokensFor(user, origin)
      return await keep(key, of, user, origin, issuer, tokens)
    } catch (error) {
      if (!(error instanceof NoToken)) throw error
      failed.set(key, { of, answer: error.answer, until: clock.monotonic() + FAILED_MS })
      return error.answer
    }
  }

  async function keep(
    key: string,
    of: string,
    user: string,
    origin: ConnectedOrigin,
    issuer: string,
    { access, lifetime }: Tokens,
  ): Promise<ConnectionAnswer> {
    const before = kept.get(key)
    const connection = await marked(user, origin, issuer, before === undefined || before.of === of)
    const now = clock.now()
    const life = (endOf(lifetime, now) ?? now + LIFETIME_MS) - now
    const answer = {
      ...{ ok: true as const, connection, header: 'Authorization', value: `Bearer ${access}` },
      // A new process goes on above the numbers of the one before it
      generation: before?.answer.connection === connection ? before.answer.generation + 1 : now,
      until: now + life - Math.min(EARLY_MS, life / 4),
    }
    kept.set(key, { of, answer, endsAt: now + life, issuedAt: clock.monotonic() })
    return answer
  }

  /** Id of the stored connection that says for whom there are tokens, made if need be. @param isSame the origin has not changed */
  async function marked(
    user: string,
    origin: ConnectedOrigin,
    issuer: string,
    isSame: boolean,
  ): Promise<string> {
    const now = clock.now()
    const row: StoredConnection = {
      ...{ user, origin: origin.id, id: newId(), kind: 'oauth', state: 'connected', active: true },
      ...{ account_label: '', issuer, scope: '', sealed: '', expires_at: null },
      ...{ created_at: now, updated_at: now },
    }
    const before = await parts.writeConnections(async (writer) => {
      const found = await writer.one(user, origin.id)
      if (found?.active === false) throw none(`The connection is inactive. An administrator can activate it.`)
      if (!isMarker(found) || !isSame) await writer.put(row)
      // The catalogue of an origin is read with the account that was used last
      else if (now >= found.updated_at + USED_MS) await writer.put({ ...found, updated_at: now })
      return found
    })
    if (isMarker(before) && isSame) return before.id
    if (before !== undefined) await parts.ended([before.id])
    if (!isMarker(before)) {
      parts.happened({ event: 'connected', user, origin: origin.id, reason: null, issuer })
    }
    return row.id
  }

  /** @returns the tokens, and the provider that vouched for the person */
  async function tokensFor(
    user: string,
    origin: ConnectedOrigin,
  ): Promise<{ readonly issuer: string; readonly tokens: Tokens }> {
    if (identity === null) throw none(`${origin.name} needs an identity provider, but none is configured.`)
    const person = await identity.tokensOf(user)
    if (person === null)
      throw new NoToken({
        ...{ ok: false, code: 'connect_required', page: parts.pageOf(origin.slug, user) },
        reason: `${origin.name} needs a current sign-in: sign in to Postern again through your identity provider.`,
      })
    const manual = await parts.manualClient(origin)
    try {
      const exchange = origin.mode === 'id_jag' ? byAssertion : byExchange
      return { issuer: person.issuer, tokens: await exchange(origin, manual, identity, person) }
    } catch (error) {
      if (!(error instanceof Unusable) && !(error instanceof FetchFailure) && !(error instanceof Refusal))
        throw error
      throw none(`There is no token for ${origin.name}: ${error.message.replace(/\.$/, '')}.`)
    }
  }

  async function byAssertion(
    origin: ConnectedOrigin,
    manual: ManualClient | null,
    idp: IdentityExchange,
    { issuer, idToken }: IdentityTokens,
  ): Promise<Tokens> {
    const found = await discovery.find(origin, (server) => registrations.faultOf(origin, manual, server))
    const scope = scopeOf(origin, found)
    const assertion = granted(
      origin,
      'identity provider',
      await idp.exchange(issuer, {
        requested_token_type: `${TYPE}id-jag`,
        audience: found.server.issuer,
        resource: found.resource,
        subject_token: idToken,
        subject_token_type: `${TYPE}id_token`,
        ...scope,
      }),
    )
    if (assertion.type !== `${TYPE}id-jag`)
      throw none(`The identity provider issues no identity assertions (ID-JAG) for ${origin.name}.`)
    return atServer(origin, manual, found, JWT_BEARER, { assertion: assertion.access })
  }

  async function byExchange(
    origin: ConnectedOrigin,
    manual: ManualClient | null,
    idp: IdentityExchange,
    person: IdentityTokens,
  ): Promise<Tokens> {
    const isOwn = (issuer: string): boolean => manual === null && issuer === person.issuer
    const found = await discovery.find(origin, (server) =>
      isOwn(server.issuer) ? null : registrations.faultOf(origin, manual, server),
    )
    const isAtProvider = found.server.issuer === person.issuer
    const token = isAtProvider ? person.accessToken : null
    const subject = {
      subject_token: token ?? person.idToken,
      subject_token_type: TYPE + (token === null ? 'id_token' : 'access_token'),
      requested_token_type: `${TYPE}access_token`,
    }
    if (!isOwn(found.server.issuer)) return atServer(origin, manual, found, TOKEN_EXCHANGE, subject)
    const form = { ...subject, ...resourceOf(origin, found), ...scopeOf(origin, found) }
    return granted(origin, 'identity provider', await idp.exchange(person.issuer, form))
  }

  async function atServer(
    origin: ConnectedOrigin,
    manual: ManualClient | null,
    found: Discovered,
    grantType: string,
    form: Readonly<Record<string, string>>,
  ): Promise<Tokens> {
    const at = { server: found.server, sourceOf: (url: string) => sourceOf(origin, url) }
    const scope = scopeOf(origin, found)
    const client = await registrations.clientFor(origin, manual, at, scope['scope']?.split(' ') ?? [])
    const outcome = await parts.tokens.grant({ ...at, client }, grantType, {
      ...form,
      ...resourceOf(origin, found),
      ...scope,
    })
    if (outcome.kind === 'refused' && outcome.error === 'invalid_client')
      await registrations.forget(origin.id, found.server.issuer, client)
    return granted(origin, 'authorization server', outcome)
  }

  return { answer }
}

/** Of what is stored, that which has no tokens of its own. */
function isMarker(row: StoredConnection | undefined): row is StoredConnection {
  return row?.kind === 'oauth' && row.state === 'connected' && row.sealed === ''
}

function granted({ name }: ConnectedOrigin, who: string, outcome: TokenOutcome): Tokens {
  if (outcome.kind === 'tokens') return outcome.tokens
  throw none(`There is no token for ${name}. The ${who}: ${outcome.reason}.`)
}

const resourceOf = ({ oauth }: ConnectedOrigin, { resource }: Discovered): Record<string, string> =>
  oauth.send_resource ? { resource } : {}

function scopeOf({ oauth }: ConnectedOrigin, found: Discovered): Record<string, string> {
  const scopes = oauth.scopes.length > 0 ? oauth.scopes : found.scopes
  return oauth.send_scope && scopes.length > 0 ? { scope: scopes.join(oauth.scope_delimiter) } : {}
}

function unavailable(reason: string): Unavailable {
  return { ok: false, code: 'credential_unavailable', reason, page: null }
}

const none = (reason: string): NoToken => new NoToken(unavailable(reason))
