/**
 * Asks servers for one gateway thread. It runs in a thread of its own, so that neither rows nor drivers delay a gateway
 * thread.
 */
import { hash } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { isDeep, NESTED_MAX } from '../base/json/plain.ts'
import { ServiceFailure, tooLong } from './failure.ts'
import { openMysql } from './mysql/session.ts'
import { SessionPool } from './pool.ts'
import type { ServiceResult, ServiceTask, ServiceWork, ToServices } from './port.ts'
import { openPostgres } from './postgres/session.ts'
import { openRedis } from './redis/session.ts'
import { ANSWER_BYTES_MAX, type Session } from './session.ts'
import { openSmtp } from './smtp/session.ts'
import type { Connect } from './socket.ts'

export interface Desk {
  /** Takes a question, or gives one up. */
  take(message: ToServices): void
  /** Closes what nobody uses. To be called once in a while. */
  sweep(): void
}

type Open = (task: ServiceTask<never>, connect: Connect, signal: AbortSignal) => Promise<Session>

const OPEN: Readonly<Record<ServiceWork['service'], Open>> = {
  redis: openRedis,
  postgres: openPostgres,
  mysql: openMysql,
  smtp: openSmtp,
}

/** @param say is told how each question has ended that was not given up. */
export function createDesk(
  connect: Connect,
  clock: Clock,
  say: (id: number, result: ServiceResult) => void,
): Desk {
  const pool = new SessionPool(clock)
  const asked = new Map<number, AbortController>()

  async function answer(task: ServiceTask, signal: AbortSignal): Promise<string> {
    const open = (): Promise<Session> => OPEN[task.work.service](task as ServiceTask<never>, connect, signal)
    const value = await pool.use(keyOf(task), open, signal, async (session) => {
      const cancel = (): void => session.cancel()
      if (signal.aborted) throw new ServiceFailure('timeout', 'the question was given up')
      signal.addEventListener('abort', cancel, { once: true })
      try {
        return await session.ask(task.work)
      } finally {
        signal.removeEventListener('abort', cancel)
      }
    })
    // Callers may have written it, and to write it as JSON would end the thread with all other questions
    if (isDeep(value)) throw new ServiceFailure('size', `the answer is nested deeper than ${NESTED_MAX}`)
    const json = JSON.stringify(value)
    if (json.length > ANSWER_BYTES_MAX) throw tooLong(ANSWER_BYTES_MAX)
    return json
  }

  return {
    take({ id, task }) {
      if (task === null) {
        asked.get(id)?.abort()
        asked.delete(id)
        return
      }
      const controller = new AbortController()
      asked.set(id, controller)
      const end = (result: ServiceResult): void => {
        if (asked.delete(id)) say(id, result)
      }
      answer(task, controller.signal).then(
        (json) => end({ ok: true, json }),
        (error: unknown) => {
          if (!(error instanceof ServiceFailure)) throw error
          end({ ok: false, kind: error.kind, message: error.message })
        },
      )
    },
    sweep: () => pool.sweep(),
  }
}

/** What may share sessions. */
function keyOf({ to, login, work }: ServiceTask): string {
  return hash(
    'sha256',
    JSON.stringify([work.service, work.service === 'smtp' ? work.starttls : work.database, to, login]),
  )
}
