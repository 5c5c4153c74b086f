/**
 * Gives gateway threads the tokens and keys of connections, and refreshes tokens.
 *
 * 1. A grant ends only if its authorization server says so. After any other failure the grant stays, and the access token is
 *    used until it expires.
 * 2. Concurrent refreshes of one grant send one request, over all processes that share the store. The other callers wait for its
 *    result, or use the token that is still valid.
 * 3. New tokens are stored before they are used. If storing fails, they stay in memory, and the next attempt stores them.
 * 4. A response is stored only in the place of the tokens that were sent. A response that arrives after the connection has
 *    ended restores nothing.
 */

import { Lru } from '../../base/memory/lru.ts'
import { FetchFailure } from '../../base/net/guarded-fetch.ts'
import { InLine } from '../../base/threads/in-line.ts'
import { type ConnectionAnswer, type RefusedConnection, SHARED } from '../../model/access/caller.ts'
import type { StoredConnection } from '../../store/ports/connections.ts'
import { type Discovery, sourceOf } from './discovery.ts'
import {
  endOf,
  hostOf,
  type KeptTokens,
  lackOf,
  newId,
  openKey,
  openTokens,
  renewedTokens,
  sealTokens,
} from './kept-tokens.ts'
import { type AuthorizationServer, Unusable } from './metadata.ts'
import type { ConnectedOrigin } from './port.ts'
import type { Registrations } from './registrations.ts'
import type { FederatedClient, FederationParts, Party, TokenClient, TokenOutcome } from './token-client.ts'

/** A token is refreshed so long before its end, but not before three quarters of its life; milliseconds. */
const EARLY_MS = 60_000
/** For which a token without a known end, or a key, is sent without asking again; milliseconds. */
const ASK_AGAIN_MS = 10 * 60_000
/** The same for a token that is being refreshed. */
const ASK_SOON_MS = 5000
/** Between two refreshes that an origin forces by refusing tokens. */
const FORCED_MS = 1000
/** After a refresh: an origin that refuses its token refuses the account; milliseconds. */
const FRESH_MS = 30_000
/** After a failed refresh until the next; each further wait is twice as long, up to the maximum. */
const RETRY_MS = 1000
const RETRY_MS_MAX = 30_000
/** Failed refreshes after which the metadata of the server is read anew: its token endpoint may have moved. */
const MOVED_AFTER = 2
/** Refreshes at one authorization server at the same time. */
const AT_ONCE = 16
const GRANTS_MAX = 10_000

type Refused = RefusedConnection | null

/** @property kept the grant goes on @property connect whether only the person can help */
type Renewal =
  | { readonly kind: 'renewed' | 'changed' }
  | { readonly kind: 'kept'; readonly reason: string; readonly mustConnect: boolean }

/** What is remembered of a grant. Times are monotonic. */
interface Attempts {
  readonly failures: number
  readonly reason: string
  readonly mustConnect: boolean
  readonly retryAt: number
  readonly renewedAt: number
}

interface Unsaved {
  readonly tokens: KeptTokens
  readonly expiresAt: number | null
  readonly scope: string | null
}

export interface Broker {
  answer(user: string, origin: ConnectedOrigin, refused: Refused): Promise<ConnectionAnswer>
}

type Parts = Pick<
  FederationParts,
  | 'connections'
  | 'writeConnections'
  | 'asOnlyOne'
  | 'sealed'
  | 'clock'
  | 'ended'
  | 'happened'
  | 'warn'
  | 'pageOf'
  | 'manualClient'
> & {
  readonly tokens: TokenClient
  readonly registrations: Pick<Registrations, 'forget' | 'faultOf'>
  readonly discovery: Discovery
}

export function createBroker(parts: Parts): Broker {
  const { connections, writeConnections, sealed, clock } = parts
  const flights = new Map<string, Promise<Renewal>>()
  const line = new InLine(AT_ONCE)
  const attempts = new Lru<string, Attempts>(GRANTS_MAX)
  const unsaved = new Lru<string, Unsaved>(GRANTS_MAX)

  function mustConnect(origin: ConnectedOrigin, user: string, reason: string): ConnectionAnswer {
    const page = user === SHARED ? null : parts.pageOf(origin.slug, user)
    return { ok: false, code: 'connect_required', reason, page }
  }

  async function answer(user: string, origin: ConnectedOrigin, refused: Refused): Promise<ConnectionAnswer> {
    const row = await connections.one(user, origin.id)
    const fault = faultOf(row, user, origin)
    if (fault !== null) return fault
    // Without a fault there is one
    return row!.kind === 'key' ? ofKey(row!, origin, refused) : ofTokens(row!, origin, refused)
  }

  /** Why a connection gives nothing as it is. */
  function faultOf(
    row: StoredConnection | undefined,
    user: string,
    origin: ConnectedOrigin,
  ): ConnectionAnswer | null {
    const kind = origin.mode === 'user_key' ? 'key' : 'oauth'
    if (row?.active === false) {
      const reason = `The connection to ${origin.name} is inactive. An administrator can activate it.`
      return { ok: false, code: 'credential_unavailable', reason, page: null }
    }
    if (row === undefined || row.kind !== kind)
      return mustConnect(origin, user, `No account at ${origin.name} is connected.`)
    if (row.state === 'connected') return null
    return mustConnect(origin, user, `The connection to ${origin.name} has ended.`)
  }

  function ofKey(row: StoredConnection, origin: ConnectedOrigin, refused: Refused): ConnectionAnswer {
    const kept = openKey(sealed, row)
    if (kept === null) return mustConnect(origin, row.user, `The key for ${origin.name} cannot be decrypted.`)
    if (kept.host !== hostOf(origin.url)) return mustConnect(origin, row.user, movedSentence(origin))
    if (refused?.connection === row.id)
      return refused.challenge === undefined
        ? mustConnect(origin, row.user, `${origin.name} refuses the key.`)
        : notAllowed(`${origin.name} does not allow this call with the key.`)
    return {
      ...{ ok: true, connection: row.id, generation: 1, header: origin.keyHeader.name },
      ...{ value: origin.keyHeader.prefix + kept.key, until: clock.now() + ASK_AGAIN_MS },
    }
  }

  async function ofTokens(
    row: StoredConnection,
    origin: ConnectedOrigin,
    refused: Refused,
  ): Promise<ConnectionAnswer> {
    const tokens = openTokens(sealed, row)
    if (tokens === null)
      return mustConnect(
        origin,
        row.user,
        row.sealed === ''
          ? `No account at ${origin.name} is connected.`
          : `The tokens for ${origin.name} cannot be decrypted.`,
      )
    if (tokens.host !== hostOf(origin.url)) return mustConnect(origin, row.user, movedSentence(origin))
    if (refused?.connection === row.id && refused.challenge !== undefined)
      return ofLack(row, tokens, origin, refused.challenge)
    const isRefused = refused?.connection === row.id && refused.generation >= tokens.generation
    if (isRefused && refused.isAgain === true && isFresh(tokens)) return refusedAgain(row, tokens, origin)
    const now = clock.now()
    const end = row.expires_at ?? Number.POSITIVE_INFINITY
    if (!isRefused && now < earlyOf(tokens, end)) return given(row, tokens, earlyOf(tokens, end))
    if (!isRefused && now < end) {
      if (tokens.refresh === null) return given(row, tokens, end)
      renew(row, tokens, origin, false).catch((error: unknown) => parts.warn(faultSentence(origin, error)))
      return given(row, tokens, Math.min(end, now + ASK_SOON_MS))
    }
    return renewed(row, tokens, origin, isRefused)
  }

  /** The account may do less than the call needs. */
  async function ofLack(
    { user }: StoredConnection,
    tokens: KeptTokens,
    origin: ConnectedOrigin,
    challenge: string,
  ): Promise<ConnectionAnswer> {
    const lack = lackOf(challenge, origin, tokens)
    if (lack.kind === 'futile') return notAllowed(lack.reason)
    const { lacked } = lack
    if (lacked.length > tokens.lacked.length)
      await replace(origin, user, tokens, (row) => ({
        ...row,
        sealed: sealTokens(sealed, row, { ...tokens, lacked }),
      }))
    return mustConnect(origin, user, lack.reason)
  }

  /** The tokens were refreshed just now. An origin may refuse older tokens for their age alone. */
  function isFresh({ grant }: KeptTokens): boolean {
    const last = attempts.get(grant)
    return last !== undefined && isWithin(clock.monotonic(), last.renewedAt, FRESH_MS)
  }

  /** The origin takes no token of the account: another refresh would not help. */
  async function refusedAgain(
    { user }: StoredConnection,
    tokens: KeptTokens,
    origin: ConnectedOrigin,
  ): Promise<ConnectionAnswer> {
    await end(origin, user, tokens, `${origin.name} refuses a token that was just refreshed`)
    const row = await connections.one(user, origin.id)
    // Connected anew, or refreshed, meanwhile
    return faultOf(row, user, origin) ?? ofTokens(row!, origin, null)
  }

  function given(row: StoredConnection, tokens: KeptTokens, until: number): ConnectionAnswer {
    return {
      ...{ ok: true, connection: row.id, generation: tokens.generation, header: 'Authorization' },
      ...{ value: `Bearer ${tokens.access}`, until: Math.min(until, clock.now() + ASK_AGAIN_MS) },
    }
  }

  /** The answer where the token cannot be used. */
  async function renewed(
    before: StoredConnection,
    tokens: KeptTokens,
    origin: ConnectedOrigin,
    isRefused: boolean,
  ): Promise<ConnectionAnswer> {
    const { user } = before
    if (tokens.refresh === null) {
      const reason = isRefused
        ? `${origin.name} refuses the token, and there is no refresh token`
        : 'the token has expired, and there is no refresh token'
      await end(origin, user, tokens, reason)
      return mustConnect(origin, user, `The connection to ${origin.name} has ended.`)
    }
    const renewal = await renew(before, tokens, origin, isRefused)
    const row = await connections.one(user, origin.id)
    const fault = faultOf(row, user, origin)
    if (fault !== null) return fault
    const now = openTokens(sealed, row)
    const isNew = now !== null && (now.grant !== tokens.grant || now.generation > tokens.generation)
    const holds = row!.expires_at === null || clock.now() < row!.expires_at
    if (isNew && holds) return given(row!, now, earlyOf(now, row!.expires_at ?? Number.POSITIVE_INFINITY))
    const reason = renewal.kind === 'kept' ? renewal.reason : 'the new token has ended already'
    if (renewal.kind === 'kept' && renewal.mustConnect)
      return mustConnect(origin, user, `The token for ${origin.name} cannot be refreshed: ${reason}.`)
    return {
      ...{ ok: false, code: 'credential_unavailable', page: null },
      reason: `The token for ${origin.name} cannot be refreshed at the moment: ${reason}.`,
    }
  }

  function renew(
    { user }: StoredConnection,
    tokens: KeptTokens,
    origin: ConnectedOrigin,
    isForced: boolean,
  ): Promise<Renewal> {
    const { grant, generation } = tokens
    const running = flights.get(grant)
    if (running !== undefined) return running
    const last = attempts.get(grant)
    const now = clock.monotonic()
    if (last !== undefined && isWithin(now, last.retryAt - RETRY_MS_MAX, RETRY_MS_MAX))
      return Promise.resolve({ kind: 'kept', reason: last.reason, mustConnect: last.mustConnect })
    if (isForced && last !== undefined && isWithin(now, last.renewedAt, FORCED_MS))
      return Promise.resolve({ kind: 'kept', reason: 'it has just been refreshed', mustConnect: false })
    // After an outage the tokens of all people end at the same time
    const flight = line
      .run(tokens.server.issuer, () => parts.asOnlyOne(grant, () => refresh(origin, user, grant, generation)))
      .finally(() => flights.delete(grant))
    flights.set(grant, flight)
    return flight
  }

  async function refresh(
    origin: ConnectedOrigin,
    user: string,
    grant: string,
    generation: number,
  ): Promise<Renewal> {
    // The caller may have read the row before the last refresh
    const tokens = openTokens(sealed, await connections.one(user, origin.id))
    if (tokens === null || tokens.grant !== grant || tokens.refresh === null) return { kind: 'changed' }
    if (tokens.generation > generation) return { kind: 'renewed' }
    const kept = unsaved.get(grant)
    // Another process may have refreshed the grant since
    if (kept?.tokens.generation === tokens.generation + 1) return save(origin, user, tokens, kept)
    unsaved.delete(grant)
    const party = await partyOf(origin, tokens)
    let { server } = tokens
    let outcome = await ask(party, tokens, tokens.refresh)
    if (outcome.kind === 'failed' && (attempts.get(grant)?.failures ?? 0) >= MOVED_AFTER) {
      server = await movedServer(origin, server)
      if (server !== tokens.server) outcome = await ask({ ...party, server }, tokens, tokens.refresh)
    }
    if (outcome.kind !== 'tokens') return failed(origin, user, tokens, outcome)
    const now = clock.now()
    const next = { ...renewedTokens(tokens, outcome.tokens, now), server }
    const { lifetime, scope } = outcome.tokens
    return save(origin, user, tokens, { tokens: next, expiresAt: endOf(lifetime, now), scope })
  }

  function ask(party: Party, { resource }: KeptTokens, token: string): Promise<TokenOutcome> {
    return parts.tokens.refresh(party, token, resource === null ? {} : { resource })
  }

  /** The same server, as its metadata describes it by now; what was given where it says nothing new. */
  async function movedServer(
    origin: ConnectedOrigin,
    server: AuthorizationServer,
  ): Promise<AuthorizationServer> {
    const manual = await parts.manualClient(origin)
    try {
      const { server: now } = await parts.discovery.find(origin, (one) =>
        parts.registrations.faultOf(origin, manual, one),
      )
      return now.issuer === server.issuer && now.tokenEndpoint !== server.tokenEndpoint ? now : server
    } catch (error) {
      if (error instanceof Unusable || error instanceof FetchFailure) return server
      throw error
    }
  }

  /** An administrator may have entered another secret of the same client since. */
  async function partyOf(origin: ConnectedOrigin, { server, client }: KeptTokens): Promise<Party> {
    const manual = client.by === 'manual' ? await parts.manualClient(origin) : null
    const current: FederatedClient =
      manual !== null && manual.id === client.id && client.secret !== null && manual.secret !== null
        ? { ...client, secret: manual.secret }
        : client
    return { server, client: current, sourceOf: (url) => sourceOf(origin, url) }
  }

  async function save(
    origin: ConnectedOrigin,
    user: string,
    before: KeptTokens,
    { tokens, expiresAt, scope }: Unsaved,
  ): Promise<Renewal> {
    const { grant } = before
    // Until it is stored, the server may know no other refresh token
    unsaved.set(grant, { tokens, expiresAt, scope })
    let isSaved: boolean
    try {
      isSaved = await replace(origin, user, before, (row) => ({
        ...row,
        sealed: sealTokens(sealed, row, tokens),
        scope: scope ?? row.scope,
        expires_at: expiresAt,
      }))
    } catch {
      return waited(grant, 'the new token cannot be stored', false)
    }
    unsaved.delete(grant)
    if (!isSaved) {
      await revokeAll(parts.tokens, await partyOf(origin, tokens), tokens)
      return { kind: 'changed' }
    }
    const renewedAt = clock.monotonic()
    attempts.set(grant, { failures: 0, reason: '', mustConnect: false, retryAt: 0, renewedAt })
    return { kind: 'renewed' }
  }

  async function failed(
    origin: ConnectedOrigin,
    user: string,
    tokens: KeptTokens,
    outcome: Exclude<TokenOutcome, { kind: 'tokens' }>,
  ): Promise<Renewal> {
    const { reason } = outcome
    if (outcome.kind === 'failed') return waited(tokens.grant, reason, false)
    if (outcome.error === 'invalid_client')
      await parts.registrations.forget(origin.id, tokens.server.issuer, tokens.client)
    if (outcome.error !== 'invalid_grant' && outcome.error !== 'invalid_client')
      return waited(tokens.grant, reason, true)
    await end(origin, user, tokens, reason)
    return { kind: 'changed' }
  }

  function waited(grant: string, reason: string, onlyPerson: boolean): Renewal {
    const last = attempts.get(grant)
    const failures = (last?.failures ?? 0) + 1
    const wait = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** Math.min(failures - 1, 10))
    const retryAt = clock.monotonic() + wait
    attempts.set(grant, {
      ...{ failures, reason, mustConnect: onlyPerson, retryAt },
      renewedAt: last?.renewedAt ?? Number.NEGATIVE_INFINITY,
    })
    return { kind: 'kept', reason, mustConnect: onlyPerson }
  }

  /** The grant is no more: the person must connect again. */
  async function end(
    origin: ConnectedOrigin,
    user: string,
    tokens: KeptTokens,
    reason: string,
  ): Promise<void> {
    let old = ''
    const isEnded = await replace(origin, user, tokens, (row) => {
      old = row.id
      return { ...row, id: newId(), state: 'refresh_failed', sealed: '', expires_at: null }
    })
    if (!isEnded) return
    await parts.ended([old])
    const { issuer } = tokens.server
    parts.happened({ event: 'refresh_failed', user, origin: origin.id, reason, issuer })
  }

  /** False where the connection has other tokens, or none, by now. */
  function replace(
    origin: ConnectedOrigin,
    user: string,
    { grant, generation }: KeptTokens,
    change: (row: StoredConnection) => StoredConnection,
  ): Promise<boolean> {
    return writeConnections(async (writer) => {
      const row = await writer.one(user, origin.id)
      const current = openTokens(sealed, row)
      if (row === undefined || current?.grant !== grant || current.generation !== generation) return false
      await writer.put({ ...change(row), updated_at: clock.now() })
      return true
    })
  }

  return { answer }
}

/** From when on a token is refreshed although it holds; times in milliseconds since the epoch. */
function earlyOf({ obtainedAt }: KeptTokens, end: number): number {
  return end - Math.min(EARLY_MS, Math.max(0, end - obtainedAt) / 4)
}

/** What was entered or agreed to for one server goes to no other. */
function movedSentence({ name }: ConnectedOrigin): string {
  return `The URL of ${name} has another host than when the account was connected.`
}

function notAllowed(reason: string): ConnectionAnswer {
  return { ok: false, code: 'credential_unavailable', reason, page: null }
}

function faultSentence(origin: ConnectedOrigin, error: unknown): string {
  return `Refreshing a token for ${origin.name} failed: ${error instanceof Error ? error.message : 'fault'}.`
}

/** Best effort: here the tokens are forgotten already. */
export async function revokeAll(
  client: TokenClient,
  party: Party,
  { access, refresh }: Pick<KeptTokens, 'access' | 'refresh'>,
): Promise<void> {
  if (party.server.revocationEndpoint === null) return
  const tokens = [
    ...(refresh === null ? [] : [[refresh, 'refresh_token'] as const]),
    [access, 'access_token'] as const,
  ]
  for (const [token, hint] of tokens) await client.revoke(party, token, hint).catch(() => undefined)
}

/** True within so many milliseconds from a time on. A time that lies ahead is of a clock that was set back since, as in tests. */
function isWithin(now: number, from: number, ms: number): boolean {
  return now >= from && now < from + ms
}
