/**
 * Asks a person to connect again with more scopes. A call may need scopes that its connection lacks; the origin names them in
 * the challenge of a 403 (RFC 6750 section 3.1; MCP 2026-07-28, authorization: scope challenge handling).
 *
 * 1. A person is asked once for one set of scopes. If the origin refuses what it has asked for, connecting again does not
 *    help.
 * 2. Scopes that an administrator has entered are never extended.
 */
import type { StoredConnection } from '../../store/ports/connections.ts'
import { resourceChallengeOf } from './challenges.ts'
import { type KeptTokens, openTokens, type Seals, sealTokens } from './kept-tokens.ts'
import { type AuthorizationServer, SCOPES_MAX, scopesIn } from './metadata.ts'
import type { ConnectedOrigin } from './port.ts'

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
