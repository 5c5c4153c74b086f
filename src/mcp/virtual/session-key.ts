/** What tells sessions at one origin apart. */
import { canonicalJson, contentHash } from '../../base/canonical.ts'
import type { Caller } from '../../gateway/port.ts'
import type { LinkedOrigin } from '../../snapshot/linked/mcp.ts'
import type { Members } from '../protocol/message.ts'

/** The caller among all callers. */
export function ownerOf({ client, profile, subject }: Caller): string {
  return `${client.id}/${profile.id}/${subject}`
}

/**
 * Whose session it is, and what the origin may ask there.
 * @param clientSession id of the session of the client; empty for none
 * @param isOwn the origin has sessions per caller, also where it shares them
 * @param connection id of the account at the origin, which a refreshed token does not change; empty for an origin without accounts
 */
export function holderOf(
  { fragment }: LinkedOrigin,
  caller: Caller,
  clientSession: string,
  isOwn: boolean,
  connection: string,
  capabilities: Members,
): string {
  const owner = ownerOf(caller)
  const isShared = fragment.shares_sessions === true
  const holder = isShared ? (isOwn ? owner : '') : clientSession || owner
  return `${holder}${connection === '' ? '' : ` ${connection}`} ${canonicalJson(capabilities)}`
}

/** The session of the client that a session at an origin ends with; empty for one that outlives such sessions. */
export function clientSessionOf({ fragment }: LinkedOrigin, clientSession: string): string {
  return fragment.shares_sessions === true ? '' : clientSession
}

const reaches = new WeakMap<LinkedOrigin['fragment'], string>()

/** Digest of how an origin is reached. What does not lead elsewhere is left out, so that a session outlives its change. */
export function reachOf({ fragment }: LinkedOrigin): string {
  let reach = reaches.get(fragment)
  if (reach === undefined) {
    const { slug, name, active, policy, total_ms, needs, upstream, verdict, ...where } = fragment
    const { connect_ms, first_byte_ms, idle_ms, pool_max, rules, ...server } = upstream ?? NOWHERE
    const { capabilities, instructions, ...spoken } = verdict ?? UNKNOWN
    reach = contentHash({ where, server, spoken })
    reaches.set(fragment, reach)
  }
  return reach
}

const NOWHERE: Partial<NonNullable<LinkedOrigin['fragment']['upstream']>> = {}
const UNKNOWN: Partial<NonNullable<LinkedOrigin['fragment']['verdict']>> = {}
