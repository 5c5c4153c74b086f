/** Asks the main thread for sessions at origins. Their pool is in the main thread. */
import { createQuestions } from '../../base/threads/in-line.ts'
import type {
  OriginSessionPool,
  PooledSession,
  SessionKey,
  TakenSession,
} from '../../shared-state/ports/origin-sessions.ts'
import type { FromGateway } from '../shared/messages.ts'
import type { SessionReply, SessionSaid } from '../shared/origin-session-messages.ts'

/** Longer than an origin takes to open a session; a caller that waits for longer is told so. */
const TAKE_MS = 60_000
const LATE = { kind: 'failed', reason: 'its session was not opened in time' } as const

/** Sessions at origins as a gateway thread takes them: the one pool of them is in the main thread. */
export interface OriginSessionClient extends OriginSessionPool {
  /** Takes what the main thread says. */
  heard(reply: SessionReply): void
}

/** @param say tells the main thread; its replies come by `heard` */
export function createOriginSessionClient(say: (message: FromGateway) => void): OriginSessionClient {
  const taking = createQuestions<TakenSession>(() => LATE)
  const releasing = new Map<number, (isLast: boolean) => void>()
  let retired: (session: PooledSession) => void = () => {}
  let last = 0
  const tell = (said: SessionSaid): void => say({ kind: 'origin_session', said })

  return {
    take: (key: SessionKey) => taking.ask(TAKE_MS, (id) => tell({ about: 'take', id, key })),
    opened: (serial, session) => tell({ about: 'opened', serial, session }),
    failed: (serial, reason) => tell({ about: 'failed', serial, reason }),
    used: (serial) => tell({ about: 'used', serial }),
    taskBegan: (serial, task, ms) => tell({ about: 'task_began', serial, task, ms }),
    taskEnded: (origin, session, task) => tell({ about: 'task_ended', origin, session, task }),
    clientLeft: (client) => tell({ about: 'client_left', client }),
    gone: (serial) => tell({ about: 'gone', serial }),
    release: (serial) =>
      new Promise((resolve) => {
        const id = ++last
        releasing.set(id, resolve)
        tell({ about: 'release', id, serial })
      }),
    onRetired(listener) {
      retired = listener
    },
    heard(reply) {
      switch (reply.about) {
        case 'taken': {
          const { id, taken } = reply
          // Those who wait elsewhere must not wait for a caller that has given up
          if (!taking.answered(id, taken) && taken.kind === 'open')
            tell({ about: 'failed', serial: taken.serial, reason: LATE.reason })
          return
        }
        case 'released':
          releasing.get(reply.id)?.(reply.isLast)
          releasing.delete(reply.id)
          return
        case 'retired':
          retired(reply.session)
      }
    },
  }
}
