/** The tokens and keys of a connection as the store keeps them: sealed, for one origin, with the time at which they end. */
import { randomUUID } from 'node:crypto'
import { readJwt } from '../../base/crypto/jwt.ts'
import type { StoredConnection } from '../../store/ports/connections.ts'
import type { Sealed } from '../server/adapter.ts'
import { type AuthorizationServer, resourceChallengeOf, SCOPES_MAX, scopesIn } from './metadata.ts'
import type { ConnectedOrigin } from './port.ts'
import type { FederatedClient, Tokens } from './token-client.ts'

/** Tokens as they are sealed in the `sealed` member of a stored connection of kind `oauth`. */
export interface KeptTokens {
  /** Random id of one consent. Refreshing and switching the connection keep it. */
  readonly grant: string
  /** Grows with every refresh. */
  readonly generation: number
  readonly access: string
  readonly refresh: string | null
  /** Milliseconds since the epoch. */
  readonly obtainedAt: number
  /** The server that issued the tokens. A refresh goes to no other. */
  readonly server: AuthorizationServer
  /** The client to which the tokens were issued: servers bind refresh tokens to it. */
  readonly client: FederatedClient
  /** Value of the `resource` parameter; null where none is sent. */
  readonly resource: string | null
  /** Scheme, host and port of the MCP server that they are for. */
  readonly host: string
  /** Scopes that were asked for when the account was connected; empty where the server chose. */
  readonly asked: readonly string[]
  /** Scopes that calls have lacked since, and that connecting again asks for. */
  readonly lacked: readonly string[]
  /** Scopes that calls have lacked, and that the server does not know. */
  readonly futile: readonly string[]
}

/** A key that a person has entered, and the scheme, host and port of the MCP server that it is for. */
interface KeptKey {
  readonly key: string
  readonly host: string
}

export type Seals = Pick<Sealed, 'seal' | 'open'>
type Place = Pick<StoredConnection, 'user' | 'origin'>

const KIND = 'Connection'

/** Bound to person and origin: a row that is copied to another person opens nothing. */
const idOf = ({ user, origin }: Place): string => `${user}\n${origin}`

export function sealTokens(sealed: Seals, place: Place, tokens: KeptTokens): string {
  return sealed.seal(JSON.stringify(tokens), KIND, idOf(place))
}

export function sealKey(sealed: Seals, place: Place, key: KeptKey): string {
  return sealed.seal(JSON.stringify(key), `${KIND}Key`, idOf(place))
}

/** Null where there are none, or they were sealed with another key. */
export function openTokens(sealed: Seals, row: StoredConnection | undefined): KeptTokens | null {
  const text = row?.kind === 'oauth' ? open(sealed, row, KIND) : null
  // Sealed by this file from this very type
  return text === null ? null : (JSON.parse(text) as KeptTokens)
}

/** Null where there is none, or it was sealed with another key. */
export function openKey(sealed: Seals, row: StoredConnection | undefined): KeptKey | null {
  const text = row?.kind === 'key' ? open(sealed, row, `${KIND}Key`) : null
  // Sealed by this file from this very type
  return text === null ? null : (JSON.parse(text) as KeptKey)
}

/** Scheme, host and port of an origin: tokens and keys for it go to no other. */
export const hostOf = (url: string): string => new URL(url).origin

function open(sealed: Seals, row: StoredConnection, kind: string): string | null {
  if (row.sealed === '') return null
  try {
    return sealed.open(row.sealed, kind, idOf(row))
  } catch {
    // The person has to connect the account again
    return null
  }
}

/**
 * True for an access token that names the resource as its audience (RFC 8707, RFC 9068). False for any other: Postern cannot tell where
 * else an opaque token is accepted. The signature is not verified: the token came from its server.
 */
export function isBoundTo(access: string, resource: string | null): boolean {
  const jwt = readJwt(access)
  if (resource === null || typeof jwt === 'string') return false
  const bare = (text: string): string => text.replace(/\/$/, '')
  return jwt.audience.length > 0 && jwt.audience.every((one) => bare(one) === bare(resource))
}

/** Tokens after a refresh. The refresh token is kept if the server issued no new one. */
export function renewedTokens(before: KeptTokens, tokens: Tokens, now: number): KeptTokens {
  return {
    ...before,
    generation: before.generation + 1,
    access: tokens.access,
    refresh: tokens.refresh ?? before.refresh,
    obtainedAt: now,
  }
}

/** Lifetimes beyond this are taken for it, seconds: times stay exact numbers. */
const LIFETIME_MAX = 10 * 365 * 24 * 60 * 60

/** When an access token ends, whole milliseconds since the epoch; null where that is not known. */
export function endOf(lifetime: number | null, now: number): number | null {
  // A server may name a fraction of a second, and a store that holds whole numbers would refuse the tokens
  return lifetime === null ? null : now + Math.floor(Math.max(0, Math.min(lifetime, LIFETIME_MAX)) * 1000)
}

/** A name for a connection. */
export const newId = (): string => randomUUID()

// Asks a person to connect again with more scopes. A call may need scopes that its connection lacks; the origin names them in
// the challenge of a 403 (RFC 6750 section 3.1; MCP 2026-07-28, authorization: scope challenge handling).
//
// 1. A person is asked once for one set of scopes. If the origin refuses what it has asked for, connecting again does not
//    help.
// 2. Scopes that an administrator has entered are never extended.

/** What follows from a challenge. `reason` is a sentence without secrets. */
export type Lack =
  /** @property lacked all scopes that calls have lacked since the account was connected */
  | { readonly kind: 'connect'; readonly lacked: readonly string[]; readonly reason: string }
  | { readonly kind: 'futile'; readonly reason: string }

/** @param challenge field `WWW-Authenticate` of a 403 */
export function lackOf(challenge: string, { name, oauth }: ConnectedOrigin, tokens: KeptTokens): Lack {
  const { error, scope } = resourceChallengeOf(challenge)
  const missing = error === 'insufficient_scope' ? scopesIn(scope).filter((one) => isNew(one, tokens)) : []
  const barred = missing.filter(
    (one) => !oauth.send_scope || (oauth.scopes.length > 0 && !oauth.scopes.includes(one)),
  )
  const lacked = [...new Set([...tokens.lacked, ...missing])]
  if (barred.length > 0)
    return {
      kind: 'futile',
      reason: `${name} asks for the scopes "${barred.join(' ')}", which the settings of the origin leave out (oauth.scopes, oauth.send_scope).`,
    }
  if (missing.length === 0 || lacked.length > SCOPES_MAX)
    return {
      kind: 'futile',
      reason: `${name} does not allow this call to the account, and connecting the account again would not help.`,
    }
  return {
    kind: 'connect',
    lacked,
    reason: `The account at ${name} was connected without the scopes "${missing.join(' ')}", which this call needs.`,
  }
}

function isNew(scope: string, { asked, futile }: KeptTokens): boolean {
  return !asked.includes(scope) && !futile.includes(scope)
}

/**
 * Scopes with which an account is connected again: those that it was connected with, and those that calls have lacked, are added.
 * @param row as it is; undefined for an account that is connected for the first time
 */
export function withMore(
  scopes: readonly string[],
  { oauth }: ConnectedOrigin,
  { issuer }: AuthorizationServer,
  row: StoredConnection | undefined,
  tokens: KeptTokens | null,
): readonly string[] {
  const isOpen = oauth.send_scope && oauth.scopes.length === 0
  if (row === undefined || tokens === null || !isOpen || tokens.server.issuer !== issuer) return scopes
  const { asked, lacked } = tokens
  // A server that was asked for none has chosen them, and has told which
  const held = asked.length > 0 || lacked.length === 0 ? asked : scopesIn(row.scope)
  // Is asked for where the server offers it
  const more = [...held, ...lacked].filter((one) => one !== 'offline_access')
  return [...new Set([...scopes, ...more])].slice(0, SCOPES_MAX)
}

/**
 * The server does not know a scope that was asked for: what calls have lacked is asked for no more. Null where nothing changes.
 * @param row as it is
 */
export function withoutLacked(seals: Seals, row: StoredConnection | undefined): StoredConnection | null {
  const tokens = openTokens(seals, row)
  if (row === undefined || tokens === null || tokens.lacked.length === 0) return null
  const futile = [...new Set([...tokens.futile, ...tokens.lacked])].slice(-SCOPES_MAX)
  return { ...row, sealed: sealTokens(seals, row, { ...tokens, lacked: [], futile }) }
}
