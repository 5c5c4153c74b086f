/** The check `credential` at origins with connections: the token or key of the person who calls, or of the account that all callers share. */
import type { RefusalCode, RefusalFacts } from '../../base/refusal.ts'
import { SHARED } from '../../model/access/caller.ts'
import { clientOf } from '../../snapshot/find/people.ts'
import type { OriginFragment } from '../../snapshot/fragments.ts'
import type { LinkedProfile } from '../../snapshot/linked-types/client.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { type Exchange, holderOf, type Lane, type Routed } from '../exchange.ts'
import type { Caller, CallerOfCall } from '../port.ts'
import type { Connected, Connection, NotConnected } from './connections.ts'

const NO_CONNECTIONS = 'This process keeps no connections to origins.'

/** A caller who is no person has no account: no page would help. */
export const NO_PERSON: NotConnected = {
  ok: false,
  code: 'connect_required',
  reason: 'The caller is not a person who has signed in. Call with a token that acts for a person.',
  page: null,
}

export const NOWHERE: NotConnected = {
  ok: false,
  code: 'credential_unavailable',
  reason: NO_CONNECTIONS,
  page: null,
}

/**
 * The account whose token or key is sent for a caller: the id of the person, or SHARED; null for a caller that is no person. The subject
 * of a token with a foreign signature is not used, because it names no user of Postern.
 * @param profile of the caller
 */
export function accountOf(
  { connection }: Pick<OriginFragment, 'connection'>,
  { signIn }: Pick<CallerOfCall, 'signIn'>,
  profile: Pick<LinkedProfile, 'binding'> | null,
): string | null {
  if (connection === 'shared') return SHARED
  if (profile === null) return null
  // An agent that acts for people comes by a binding without a user of its own
  return signIn?.user ?? profile.binding?.user ?? null
}

/** What calls of a caller to an origin with connections carry; at once where it is known. Never rejects. @param id of the origin */
export function connectionOf(
  { connections }: Pick<Lane, 'connections'>,
  snapshot: Snapshot,
  caller: Caller,
  id: string,
  fragment: OriginFragment,
): Connection | Promise<Connection> {
  const profile = clientOf(snapshot, caller.client.id)?.profiles.get(caller.profile.id) ?? null
  const account = accountOf(fragment, caller, profile)
  if (account === null) return NO_PERSON
  return connections === null ? NOWHERE : connections.of(account, id, holderOf(caller, snapshot))
}

/** Puts the token or key into the exchange. If there is none, the refusal says what the person can do. */
export function connected(exchange: Routed): RefusalCode | null | Promise<RefusalCode | null> {
  const came = connectionIn(exchange)
  return came instanceof Promise ? came.then((it) => take(exchange, it)) : take(exchange, came)
}

function connectionIn(exchange: Routed): Connection | Promise<Connection> {
  const { connections } = exchange.lane
  // Only routes to origins have connections
  const { origin, account = null } = exchange.capability!
  if (account === null) return NO_PERSON
  return connections === null ? NOWHERE : connections.of(account, origin.id, holderIn(exchange))
}

/**
 * The origin has refused the token or key of the exchange: puts another one in its place.
 * @param count tokens or keys that the origin has refused during the call @param challenge of a 403 that asks for more scopes; null for a
 *   401
 */
export async function reconnected(
  exchange: Routed,
  count: number,
  challenge: string | null,
): Promise<RefusalCode | null> {
  const { lane, capability, credential } = exchange
  const { origin, account } = capability!
  // It has come from there, for this account
  const refused = credential as Connected
  const isAgain = count > 1
  const holder = holderIn(exchange)
  const came = await lane.connections!.instead(account!, origin.id, holder, refused, isAgain, challenge)
  // A token that has come since is for the next call
  return take(exchange, count >= REFUSED_MAX && came.ok ? CONNECTED_SINCE : came)
}

/** The second token may be one that another thread has had refused already. */
const REFUSED_MAX = 3

const CONNECTED_SINCE: NotConnected = {
  ok: false,
  code: 'credential_unavailable',
  reason: 'The origin refused the token again. A new token is available now: repeat the call.',
  page: null,
}

function holderIn({ identity, snapshot }: Routed): string {
  return holderOf(identity, snapshot)
}

function take(exchange: Exchange, came: Connection): RefusalCode | null {
  if (came.ok) {
    exchange.credential = came
    exchange.hasOther = true
    return null
  }
  exchange.reason = came.reason
  exchange.facts = connectionFacts(exchange.capability!.origin.fragment.slug, came)
  return came.code
}

/** What the caller is told: with the page on which a person connects the account. */
export function connectionFacts(origin: string, { code, reason, page }: NotConnected): RefusalFacts {
  if (code === 'credential_unavailable')
    return { detail: `The token of the account is not available. ${reason}` }
  const advice = page === null ? '' : ` Open ${page} to connect the account, then repeat the call.`
  return {
    detail: `The origin "${origin}" needs a connected account. ${reason}${advice}`,
    members: { origin, ...(page === null ? {} : { connect_url: page }) },
  }
}
