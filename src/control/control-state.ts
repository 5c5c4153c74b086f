/** What the control plane remembers for a while, and would share with control planes of other nodes. */
import type { SignInState } from '../oauth/sign-in/oidc.ts'
import type { KeptSecret } from '../operations/engine/secret-links.ts'
import type { Links } from '../shared-state/ports/links.ts'
import type { Once } from '../shared-state/ports/once.ts'
import type { Throttle } from '../shared-state/ports/throttle.ts'
import type { Tombstones } from '../shared-state/ports/tombstones.ts'

/** Times are milliseconds since the epoch. */
interface EndedGrants {
  /** Gateway threads are told that some grant counts. */
  vouched(now: number): void
  /** @param lifeMs for which threads count on what they were told */
  end(grant: string, lifeMs: number, now: number): void
}

/** What the control plane remembers for a while, and would share with the control planes of other nodes. */
export interface ControlState {
  readonly tombstones: Tombstones
  readonly usedReplies: Once
  /** Grants of people that were revoked while access tokens of them may still live. */
  readonly endedGrants: EndedGrants
  readonly throttle: Throttle
  readonly secretLinks: Links<KeptSecret>
  readonly signIns: Links<SignInState>
  /** Connections at origins that are being made, sealed. */
  readonly connecting: Links<string>
}
