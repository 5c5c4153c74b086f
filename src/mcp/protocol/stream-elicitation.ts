/** Questions to the person behind a client of 2025-06-18 or 2025-11-25. The call waits for the response. */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import { answerOf, type McpAnswer } from './answer.ts'
import type { Members, RpcId } from './message.ts'
import type { Asking } from './run-tool-call.ts'
import { NO_CONTENT, QUESTION_MS, type Reply, toReply, type Unsaid } from './sealed-elicitation.ts'
import { type EventStream, openEventStream } from './sse-reader.ts'

/** Whom a question goes to, and the call that waits for it. */
export interface Waiting {
  readonly identity: string
  /** Hash of the session. */
  readonly sessionId: string
  readonly callId: RpcId
}

interface OpenQuestion extends Waiting {
  readonly askedAt: number
  /** When something was last sent on its stream. */
  lastSentAt: number
  readonly keepAlive: () => void
  readonly ended: (reply: Reply | null) => void
}

/**
 * Questions to the person behind a client of 2025-06-18 or 2025-11-25 (elicitation). Each is a request of ours on the
 * stream that answers a call, and the call waits for the response.
 *
 * Invariants:
 * 1. Only the session that was asked answers, and only for the principal that was asked. Any other response is as if it
 *    had not come.
 * 2. A question ends once: by its response, its time, the end of its call, session or stream, or with the process.
 * 3. Each holds a connection, so that few wait for one principal, and not many for all.
 */
export interface OpenQuestions {
  /**
   * Gives the id of the request. `ended` is told once: what was said, why nothing was, or null when nobody waits for the
   * call any more. Gives null where too many wait.
   */
  open(waiting: Waiting, keepAlive: () => void, ended: OpenQuestion['ended']): string | null
  /** Takes a response of a session; `result` is null for an error. */
  answer(by: Omit<Waiting, 'callId'>, id: RpcId | undefined, result: Members | null): void
  /** Nobody waits for it any more; unknown ones are left alone. */
  withdraw(id: string): void
  /** As {@link withdraw}, for the question of a call. */
  cancel(sessionId: string, callId: RpcId): void
  endSession(sessionId: string): void
  /** Ends all of them, and takes no more. */
  close(): void
}

/** Questions that wait for one principal. */
export const QUESTIONS_EACH_MAX = 4
/** And for all; a gateway thread has 64 connections to where they wait. */
export const QUESTIONS_MAX = 32
/** Between two signs of life, milliseconds: what lies between ends connections that are silent for a minute. */
export const KEEP_ALIVE_MS = 15_000
const TICK_MS = 500

/** No questions yet. They wait in the memory of this thread. */
export function createOpenQuestions(clock: Clock): OpenQuestions {
  const open = new Map<string, OpenQuestion>()
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  function end(id: string, reply: Reply | null): void {
    const question = open.get(id)
    if (question === undefined) return
    open.delete(id)
    if (open.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
    question.ended(reply)
  }

  function endThose(those: (question: OpenQuestion) => boolean, reply: Reply | null): void {
    for (const [id, question] of [...open]) if (those(question)) end(id, reply)
  }

  function tick(): void {
    const now = clock.monotonic()
    endThose(({ askedAt }) => now - askedAt > QUESTION_MS, unsaid('expired'))
    for (const question of open.values())
      if (now - question.lastSentAt >= KEEP_ALIVE_MS) {
        question.lastSentAt = now
        question.keepAlive()
      }
  }

  return {
    open(waiting, keepAlive, ended) {
      const own = [...open.values()].filter(({ identity }) => identity === waiting.identity)
      if (isClosed || own.length >= QUESTIONS_EACH_MAX || open.size >= QUESTIONS_MAX) return null
      const id = randomBytes(16).toString('base64url')
      const now = clock.monotonic()
      open.set(id, { ...waiting, askedAt: now, lastSentAt: now, keepAlive, ended })
      timer ??= setInterval(tick, TICK_MS).unref()
      return id
    },
    answer({ identity, sessionId }, id, result) {
      const question = typeof id === 'string' ? open.get(id) : undefined
      if (question === undefined) return
      if (question.identity !== identity || question.sessionId !== sessionId) return
      end(String(id), toReply(result) ?? { action: 'cancel', content: NO_CONTENT })
    },
    withdraw: (id) => end(id, null),
    cancel: (sessionId, callId) =>
      endThose((question) => question.sessionId === sessionId && question.callId === callId, null),
    endSession: (sessionId) => endThose((question) => question.sessionId === sessionId, unsaid('ended')),
    close() {
      isClosed = true
      endThose(() => true, unsaid('ended'))
    },
  }
}

/** What counts as the reply where there is none. */
function unsaid(action: Unsaid): Reply {
  return { action, content: NO_CONTENT }
}

// Puts a question to the person behind a client of an earlier revision, on the stream that answers the call.

/** How one call asks, if it can, and how its response leaves: alone, or at the end of the stream on which it has asked. */
export interface AskingCall {
  readonly asking: Asking | null
  /** @param text of the response; null for none. */
  readonly respond: (text: string | null) => void
}

/**
 * Asks by a request on the stream that answers the call (2025-11-25, client/elicitation). `done` gets the answer of the
 * call: the stream, as soon as there is a question. Nobody is asked once `isOpen` says that the session has ended, which
 * may be before the call has come to its question.
 */
export function askByStream(
  questions: OpenQuestions,
  waiting: Waiting,
  version: string,
  isOpen: () => boolean,
  done: (answer: McpAnswer) => void,
): AskingCall {
  let stream: EventStream | null = null
  let openId: string | null = null

  const asking: Asking = {
    replyTo: () => null,
    ask(_call, { message, form }, again) {
      if (!isOpen()) {
        again(unsaid('ended'))
        return null
      }
      const id = questions.open(
        waiting,
        () => stream?.keepAlive(),
        (reply) => {
          openId = null
          // Lest the form stays before somebody whose word no longer counts
          if (reply === null || reply.action === 'expired' || reply.action === 'ended')
            stream?.message(withdrawal(id))
          again(reply)
        },
      )
      if (id === null) {
        again(unsaid('crowded'))
        return null
      }
      openId = id
      const isFirst = stream === null
      // Without a way back to the client nothing may be done that only it would hear of
      stream ??= openEventStream(() => openId !== null && questions.withdraw(openId))
      // 2025-06-18 knows no other mode and no name for this one
      const mode = version === '2025-06-18' ? {} : { mode: 'form' }
      const params = { ...mode, message, requestedSchema: form }
      stream.message(JSON.stringify({ jsonrpc: '2.0', id, method: 'elicitation/create', params }))
      if (isFirst) done(stream.answer)
      return null
    },
  }

  return {
    asking,
    respond(text) {
      if (stream === null) return done(answerOf(text))
      if (text !== null) stream.message(text)
      stream.end()
    },
  }
}

function withdrawal(requestId: string | null): string {
  const params = { requestId, reason: 'No call waits for this answer any more' }
  return JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params })
}
