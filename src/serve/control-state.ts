/** Chooses the memory of the control plane. */
import type { Clock } from '../base/clock.ts'
import type { ControlState } from '../control/origin-probing.ts'
import {
  createSharedOnce,
  createTombstones,
  openEndedIds,
  openKeyMemory,
} from '../shared-state/memory/key-memory.ts'
import { createLinks } from '../shared-state/memory/links.ts'
import type { SharedCells } from '../shared-state/memory/shared-cells.ts'
import { createThrottle } from '../shared-state/memory/throttle.ts'
import type { Events } from '../shared-state/ports/events.ts'
import type { LinkBounds, LinkKind, Links } from '../shared-state/ports/memory.ts'
import type { SharedRows } from '../store/postgres/shared-state/rows.ts'

/** One-time links that are kept at once, of all and of one principal: each holds a secret in memory. */
const SECRET_LINKS = { max: 1000, ownMax: 100 } as const
/** Sign-ins at the identity provider that are under way; beyond that, the oldest must begin anew. */
const SIGN_INS = { max: 10_000, dropsOldest: true } as const
/** Accounts at origins that are being connected, of all people and of one: nobody pushes out those of others alone. */
const CONNECTING = { max: 10_000, ownMax: 20, dropsOldest: true } as const

/** The one place that chooses: memory of this process, or rows where it shares a database. @param rows null without a database */
export function openControlState(
  cells: SharedCells,
  clock: Clock,
  events: Events,
  rows: SharedRows | null,
): ControlState {
  const usedReplies = openKeyMemory(cells.usedReplies)
  const links = <Value>(kind: LinkKind, bounds: LinkBounds): Links<Value> =>
    rows === null ? createLinks(clock, bounds) : rows.links(kind, bounds)
  const ended = openEndedIds(cells.endedGrants, cells.endedEpoch)
  return {
    tombstones: createTombstones(cells.tombstones, events),
    usedReplies: rows === null ? usedReplies : createSharedOnce(usedReplies, rows.once('used_replies')),
    endedGrants: {
      vouched: (now) => ended.vouched(now),
      end(grant, lifeMs, now) {
        ended.end(grant, lifeMs, now)
        // Messages look into the memory; streams that stand hear of it
        events.publish({ topic: 'grant_ended', text: grant })
      },
    },
    throttle: createThrottle(clock),
    secretLinks: links('secret', SECRET_LINKS),
    signIns: links('sign_in', SIGN_INS),
    connecting: links('connecting', CONNECTING),
  }
}
