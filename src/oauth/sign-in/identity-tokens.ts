/**
 * Tokens that identity providers issue when people sign in, kept for origins that Postern calls on behalf of the person.
 *
 * 1. The tokens of a person belong to the provider that signed the ID token. No other provider sees them.
 * 2. They are kept only while an origin needs them. They are sealed, and end with the account.
 * 3. Concurrent refreshes for one person share one request to the provider, over all processes that share the store. A rotated token is stored before it is used.
 */
import type { TokenEndpointResponse } from 'openid-client'
import type { Clock } from '../../base/clock.ts'
import { readJwt } from '../../base/crypto/jwt.ts'
import type { GuardedFetch } from '../../base/net/guarded-fetch.ts'
import type { OAuthReader, OAuthWriter } from '../../store/ports/oauth.ts'
import { type IdentityExchange, type IdentityTokens, outcomeOf } from '../federation/token-client.ts'
import type { AsOnlyOne } from '../refresh-claims.ts'
import type { Sealed } from '../server/adapter.ts'
import { createConfigured, type OidcProvider } from './oidc.ts'

const KIND = 'IdentityTokens'
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** A token is refreshed so long before its end; milliseconds. */
const EARLY_MS = 30_000
/** For which refresh tokens are kept that are not used, milliseconds. */
const REFRESH_KEPT_MS = 30 * 24 * 60 * 60_000

export interface IdentityTokensParts {
  readonly providers: readonly OidcProvider[]
  readonly fetch: GuardedFetch
  readonly clock: Clock
  readonly artifacts: Pick<OAuthReader, 'artifact'>
  readonly writeArtifacts: <T>(work: (writer: OAuthWriter) => Promise<T>) => Promise<T>
  readonly sealed: Pick<Sealed, 'seal' | 'open' | 'hash'>
  /** Refreshes the tokens of a person while no other process does. */
  readonly asOnlyOne: AsOnlyOne
  /** Whether an origin has a mode that needs them. */
  readonly isWanted: () => Promise<boolean>
}

export interface KeptIdentityTokens extends IdentityExchange {
  /** Keeps what came of a sign-in, if it is wanted. @param account id of the person */
  keep(account: string, answer: TokenEndpointResponse): Promise<void>
}

/** Ends are in milliseconds since the epoch. */
interface Kept {
  readonly idToken: string
  readonly idEndsAt: number
  readonly access: string
  readonly accessEndsAt: number
  readonly refresh: string | null
}

export function createIdentityTokens(parts: IdentityTokensParts): KeptIdentityTokens {
  const { clock, sealed, artifacts, writeArtifacts } = parts
  const flights = new Map<string, Promise<Kept | null>>()
  const clients = new Map(
    parts.providers.map((provider) => [provider.issuer, createConfigured({ ...parts, provider })]),
  )

  async function read(
    account: string,
    from: Pick<OAuthReader, 'artifact'> = artifacts,
  ): Promise<Kept | null> {
    const id = sealed.hash(account)
    const found = await from.artifact(KIND, id)
    // Sealed by this file from this very type
    return found === undefined ? null : (JSON.parse(sealed.open(found.sealed, KIND, id)) as Kept)
  }

  async function write(writer: OAuthWriter, account: string, kept: Kept): Promise<void> {
    const id = sealed.hash(account)
    const now = clock.now()
    await writer.put({
      ...{
        kind: KIND,
        id,
        grant_id: null,
        other_id: null,
        account_id: account,
        used_at: null,
        created_at: now,
      },
      sealed: sealed.seal(JSON.stringify(kept), KIND, id),
      expires_at: kept.refresh === null ? kept.idEndsAt : now + REFRESH_KEPT_MS,
    })
  }

  /** Null where the provider does not refresh them any more, or not now, or is not configured any more. */
  async function current(account: string): Promise<Kept | null> {
    const found = await read(account)
    if (found === null || !clients.has(issuerOf(found))) return null
    if (isCurrent(found, clock.now())) return found
    return found.refresh === null
      ? null
      : parts.asOnlyOne(`identity ${sealed.hash(account)}`, () => refreshed(account))
  }

  async function refreshed(account: string): Promise<Kept | null> {
    const before = await read(account)
    const configured = before === null ? undefined : clients.get(issuerOf(before))
    const token = before?.refresh ?? null
    if (before === null || configured === undefined || token === null) return null
    // Another process has refreshed them
    if (isCurrent(before, clock.now())) return before
    const outcome = await outcomeOf(async () => {
      const { refreshTokenGrant } = await import('openid-client')
      return refreshTokenGrant(await configured.get(), token)
    })
    const isNew = outcome.kind === 'tokens'
    if (!isNew && (outcome.kind === 'failed' || outcome.error !== 'invalid_grant')) return null
    const next = isNew ? toKept({ ...outcome.tokens }, before, clock.now()) : null
    await writeArtifacts(async (writer) => {
      const current = await read(account, writer)
      // Signed out, or signed in anew, in the meantime
      if (current?.refresh !== token) return
      if (next === null) await writer.remove(KIND, sealed.hash(account))
      else await write(writer, account, next)
    })
    return next
  }

  return {
    async keep(account, answer) {
      const { id_token: idToken = null, access_token: access, refresh_token: refresh = null } = answer
      if (idToken === null || !(await parts.isWanted())) return
      const lifetime = answer.expires_in ?? null
      const kept = toKept({ idToken, access, refresh, lifetime }, null, clock.now())
      await writeArtifacts((writer) => write(writer, account, kept))
    },
    async tokensOf(user) {
      const running = flights.get(user) ?? current(user).finally(() => flights.delete(user))
      flights.set(user, running)
      const kept = await running
      const now = clock.now()
      return kept === null || kept.idEndsAt <= now ? null : shownOf(kept, now)
    },
    exchange: (issuer, form) =>
      outcomeOf(async () => {
        const { genericGrantRequest } = await import('openid-client')
        return genericGrantRequest(await clients.get(issuer)!.get(), TOKEN_EXCHANGE, { ...form })
      }),
  }
}

const isCurrent = ({ idEndsAt }: Kept, now: number): boolean => now < idEndsAt - EARLY_MS

function shownOf(kept: Kept, now: number): IdentityTokens {
  const { idToken, access, accessEndsAt } = kept
  return { issuer: issuerOf(kept), idToken, accessToken: now < accessEndsAt ? access : null }
}

/** The provider that has signed the ID token, which was verified at sign-in. */
function issuerOf({ idToken }: Kept): string {
  const jwt = readJwt(idToken)
  return typeof jwt === 'string' ? '' : (jwt.issuer ?? '')
}

/** What an answer makes of the tokens before; a provider need not issue each of them anew. */
function toKept(
  answer: {
    readonly idToken: string | null
    readonly access: string
    readonly refresh: string | null
    readonly lifetime: number | null
  },
  before: Kept | null,
  now: number,
): Kept {
  const idToken = answer.idToken ?? before!.idToken
  const jwt = readJwt(idToken)
  const ends = typeof jwt === 'string' ? null : jwt.expires
  return {
    idToken,
    // A provider may name a fraction of a second, or any time, and stores hold whole numbers
    idEndsAt: ends === null ? 0 : Math.floor(Math.min(ends * 1000, Number.MAX_SAFE_INTEGER)),
    access: answer.access,
    accessEndsAt: answer.lifetime === null ? 0 : now + answer.lifetime * 1000,
    refresh: answer.refresh ?? before?.refresh ?? null,
  }
}
