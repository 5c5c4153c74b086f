/** Chooses the memory of the control plane. */
import type { Clock } from '../base/clock.ts'
import type { ControlState } from '../control/origin-probing.ts'
import { createTombstones, openEndedIds, openKeyMemory } from '../shared-state/memory/key-memory.ts'
import { createLinks } from '../shared-state/memory/links.ts'
import type { SharedCells } from '../shared-state/memory/shared-cells.ts'
import { createThrottle } from '../shared-state/memory/throttle.ts'
import type { Events } from '../shared-state/ports/events.ts'

/** One-time links that are kept at once, of all and of one principal: each holds a secret in memory. */
const SECRET_LINKS = { max: 1000, ownMax: 100 } as const
/** Sign-ins at the identity provider that are under way; beyond that, the oldest must begin anew. */
const SIGN_INS = { max: 10_000, dropsOldest: true } as const
/** Accounts at origins that are being connected, of all people and of one: nobody pushes out those of others alone. */
const CONNECTING = { max: 10_000, ownMax: 20, dropsOldest: true } as const

/** The state in the memory of this process: the one place that chooses. */
export function openControlState(cells: SharedCells, clock: Clock, events: Events): ControlState {
  const ended = openEndedIds(cells.endedGrants, cells.endedEpoch)
  return {
    tombstones: createTombstones(cells.tombstones, events),
    usedReplies: openKeyMemory(cells.usedReplies),
    endedGrants: {
      vouched: (now) => ended.vouched(now),
      end(grant, lifeMs, now) {
        ended.end(grant, lifeMs, now)
        // Messages look into the memory; streams that stand hear of it
        events.publish({ topic: 'grant_ended', text: grant })
      },
    },
    throttle: createThrottle(clock),
    secretLinks: createLinks(clock, SECRET_LINKS),
    signIns: createLinks(clock, SIGN_INS),
    connecting: createLinks(clock, CONNECTING),
  }
}
