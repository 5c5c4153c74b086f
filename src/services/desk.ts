/**
 * Asks servers for one gateway thread. It runs in a thread of its own, so that neither rows nor drivers delay a gateway
 * thread.
 */
import { hash } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { isDeep, NESTED_MAX } from '../base/json/storable.ts'
import { PoolShare, WaitingLine } from '../base/memory/pool-share.ts'
import { openMysql } from './mysql/session.ts'
import {
  ANSWER_BYTES_MAX,
  OVERLOADED,
  type ServiceResult,
  type ServiceTask,
  type ServiceWork,
  type Session,
  type ToServices,
} from './port.ts'
import { openPostgres } from './postgres/session.ts'
import { openRedis } from './redis/session.ts'
import { openSmtp } from './smtp/session.ts'
import { type Connect, ServiceFailure, tooLong } from './socket.ts'

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
    const value = await pool.use(keyOf(task), task.holder, open, signal, async (session) => {
      const cancel = (): void => session.cancel()
      if (signal.aborted) throw new ServiceFailure('timeout', 'the call was cancelled')
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

// Sessions with servers, shared by the questions of one gateway thread.
//
// 1. A session has one question at a time. A key has at most {@link PER_KEY} sessions. Holders share them: one holder takes at most as
//    many as then remain free. Further questions wait; holders take turns, and questions of one holder keep their order.
// 2. Another server, login or database means another key, so no question uses a session of another login.
// 3. A session without a question for {@link IDLE_MS} is closed, by the clock.
// 4. At {@link SESSIONS_MAX} the longest idle session is closed.

const PER_KEY = 8
const WAITING_MAX = 64
const SESSIONS_MAX = 64
/** Milliseconds. */
const IDLE_MS = 30_000

interface Shelf {
  /** Oldest first. */
  readonly idle: { readonly session: Session; readonly since: number }[]
  readonly line: WaitingLine<Waiter>
  /** Places that questions have, with a session or about to open one. */
  readonly share: PoolShare
}

/** A question that waits for a place. */
interface Waiter {
  readonly holder: string
  readonly come: () => void
}

export class SessionPool {
  readonly #shelves = new Map<string, Shelf>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Has `ask` use a session of the key, which is opened where none is idle.
   * @param holder see {@link ServiceTask.holder}
   * @throws ServiceFailure of `open` and `ask`, and `overloaded` where there is no place
   */
  async use<T>(
    key: string,
    holder: string,
    open: () => Promise<Session>,
    signal: AbortSignal,
    ask: (session: Session) => Promise<T>,
  ): Promise<T> {
    const shelf = await this.#place(key, holder, signal)
    let session: Session | null = null
    try {
      session = takeIdle(shelf) ?? (await this.#opened(open))
      return await ask(session)
    } finally {
      const released = session?.released ?? null
      if (released === null) this.#leave(key, holder, shelf, session)
      // Connections that are left of a question have its place
      else void released.finally(() => this.#leave(key, holder, shelf, session))
    }
  }

  /** Closes what was idle for long. */
  sweep(): void {
    const before = this.#clock.monotonic() - IDLE_MS
    for (const [key, { idle, share }] of this.#shelves) {
      while (idle.length > 0 && (idle[0]!.since <= before || !idle[0]!.session.isOpen))
        idle.shift()!.session.close()
      if (idle.length === 0 && share.taken === 0) this.#shelves.delete(key)
    }
  }

  /** Waits for a place. It stands in the shelf of the key until {@link #leave}. */
  async #place(key: string, holder: string, signal: AbortSignal): Promise<Shelf> {
    let shelf = this.#shelves.get(key)
    if (shelf === undefined) {
      shelf = { idle: [], line: new WaitingLine(WAITING_MAX), share: new PoolShare(PER_KEY) }
      this.#shelves.set(key, shelf)
    }
    if (shelf.share.mayTake(holder)) shelf.share.take(holder)
    else await turn(shelf.line, holder, signal)
    return shelf
  }

  async #opened(open: () => Promise<Session>): Promise<Session> {
    let total = 0
    let oldest: Shelf | null = null
    for (const shelf of this.#shelves.values()) {
      total += shelf.share.taken + shelf.idle.length
      const [first] = shelf.idle
      if (first !== undefined && (oldest === null || first.since < oldest.idle[0]!.since)) oldest = shelf
    }
    if (total > SESSIONS_MAX) {
      if (oldest === null) throw new ServiceFailure(OVERLOADED, 'too many connections are in use')
      oldest.idle.shift()!.session.close()
    }
    return open()
  }

  #leave(key: string, holder: string, shelf: Shelf, session: Session | null): void {
    if (session?.isOpen === true) shelf.idle.push({ session, since: this.#clock.monotonic() })
    shelf.share.give(holder)
    // Where one place comes free, several holders may take one more
    for (let next = shelf.line.next(shelf.share); next !== null; next = shelf.line.next(shelf.share)) {
      shelf.share.take(next.holder)
      next.come()
    }
    if (shelf.share.taken === 0 && shelf.idle.length === 0) this.#shelves.delete(key)
  }
}

/** The session that was used last. */
function takeIdle({ idle }: Shelf): Session | null {
  for (let last = idle.pop(); last !== undefined; last = idle.pop())
    if (last.session.isOpen) return last.session
  return null
}

/** Waits until a place has been taken for the holder. */
function turn(line: WaitingLine<Waiter>, holder: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      line.delete(waiter)
      reject(new ServiceFailure('timeout', 'the call was cancelled'))
    }
    const waiter: Waiter = {
      holder,
      come() {
        signal.removeEventListener('abort', abort)
        resolve()
      },
    }
    // No end of its own: the node has a timeout, which aborts
    if (line.add(waiter, Infinity)) signal.addEventListener('abort', abort, { once: true })
    else reject(new ServiceFailure(OVERLOADED, 'too many calls wait for this server'))
  })
}
