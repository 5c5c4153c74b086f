/** Connects the gateway threads to the pool of sessions at origins. */
import type { OriginSessionMembers, OriginSessionPool } from '../../shared-state/ports/origin-sessions.ts'
import type { SessionReply, SessionSaid } from '../shared/origin-session-messages.ts'

/** The gateway threads as members of the pool of sessions at origins. */
export interface ThreadSessions {
  /** A thread has started in that slot. @param tell answers it */
  begin(slot: number, tell: (reply: SessionReply) => void): void
  hear(slot: number, said: SessionSaid, tell: (reply: SessionReply) => void): void
  /** The thread has ended, and holds nothing. */
  leave(slot: number): void
}

export function createThreadSessions(members: OriginSessionMembers): ThreadSessions {
  const pools = new Map<number, OriginSessionPool>()

  return {
    begin(slot, tell) {
      const pool = members.join(`thread ${slot}`)
      pool.onRetired((session) => tell({ about: 'retired', session }))
      pools.set(slot, pool)
    },
    hear(slot, said, tell) {
      const pool = pools.get(slot)
      if (pool === undefined) return
      switch (said.about) {
        case 'take': {
          const { id } = said
          const taken = pool.take(said.key)
          // At once where it can be: what the pool says of the session later must come later
          if (taken instanceof Promise) void taken.then((later) => tell({ about: 'taken', id, taken: later }))
          else tell({ about: 'taken', id, taken })
          return
        }
        case 'opened':
          pool.opened(said.serial, said.session)
          return
        case 'failed':
          pool.failed(said.serial, said.reason)
          return
        case 'used':
          pool.used(said.serial)
          return
        case 'task_began':
          pool.taskBegan(said.serial, said.task, said.ms)
          return
        case 'task_ended':
          pool.taskEnded(said.origin, said.session, said.task)
          return
        case 'client_left':
          pool.clientLeft(said.client)
          return
        case 'gone':
          pool.gone(said.serial)
          return
        case 'release': {
          const { id } = said
          void Promise.resolve(pool.release(said.serial)).then((isLast) =>
            tell({ about: 'released', id, isLast }),
          )
        }
      }
    },
    leave(slot) {
      members.leave(`thread ${slot}`)
      pools.delete(slot)
    },
  }
}
