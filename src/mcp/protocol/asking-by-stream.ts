/** Puts a question to the person behind a client of an earlier revision, on the stream that answers the call. */
import { answerOf, type McpAnswer } from './answer.ts'
import { type EventStream, openEventStream } from './event-stream.ts'
import type { Asking } from './run-tool-call.ts'
import { type OpenQuestions, unsaid, type Waiting } from './stream-elicitation.ts'

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
  const params = { requestId, reason: 'Nobody waits for the answer any more' }
  return JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params })
}
