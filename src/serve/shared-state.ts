import type { Clock } from '../base/clock.ts'
import type { SignInState } from '../oauth/sign-in/oidc.ts'
import type { KeptSecret } from '../operations/engine/secret-links.ts'
import { openKeyMemory } from '../shared-state/memory/key-memory.ts'
import { createLinks } from '../shared-state/memory/links.ts'
import type { SharedCells } from '../shared-state/memory/shared-cells.ts'
import { createThrottle } from '../shared-state/memory/throttle.ts'
import { createTombstones } from '../shared-state/memory/tombstones.ts'
import type { Events } from '../shared-state/ports/events.ts'
import type { Links } from '../shared-state/ports/links.ts'
import type { Once } from '../shared-state/ports/once.ts'
import type { Throttle } from '../shared-state/ports/throttle.ts'
import type { Tombstones } from '../shared-state/ports/tombstones.ts'

/** One-time links that are kept at once, of all and of one principal: each holds a secret in memory. */
const SECRET_LINKS = { max: 1000, ownMax: 100 } as const
/** Sign-ins at the identity provider that are under way; beyond that, the oldest must begin anew. */
const SIGN_INS = { max: 10_000, dropsOldest: true } as const

/** What the control plane remembers for a while, and would share with the control planes of other nodes. */
export interface SharedState {
  readonly tombstones: Tombstones
  readonly usedReplies: Once
  readonly throttle: Throttle
  readonly secretLinks: Links<KeptSecret>
  readonly signIns: Links<SignInState>
}

/** The state in the memory of this process: the one place that chooses. */
export function openSharedState(cells: SharedCells, clock: Clock, events: Events): SharedState {
  return {
    tombstones: createTombstones(cells.tombstones, events),
    usedReplies: openKeyMemory(cells.usedReplies),
    throttle: createThrottle(clock),
    secretLinks: createLinks(clock, SECRET_LINKS),
    signIns: createLinks(clock, SIGN_INS),
  }
}
