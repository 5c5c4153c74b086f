/**
 * Requests that are put to clients of earlier revisions, on the stream that answers one of their calls (2025-11-25,
 * client/elicitation, client/sampling, client/roots).
 *
 * 1. Only the session and principal that were asked can answer. Any other response is ignored.
 * 2. A response may arrive at another thread, which publishes it.
 * 3. A question ends once: with its response, after its time, or with its call. Few questions wait for one principal, and a
 *    bounded number for all. A client that chooses the names of its principals gets no more than remain free.
 */
import { randomBytes } from 'node:crypto'
import { PoolShare } from '../../base/memory/pool-share.ts'
import type { Events } from '../../shared-state/ports/events.ts'
import { isMembers, type Members } from './message.ts'

/** What a client said: a result, or null for an error or for nothing. */
export type ClientAnswer = Members | null

/** The session that is asked, and for whom. */
interface Asked {
  readonly identity: string
  readonly sessionId: string
}

export interface ClientQuestions {
  /**
   * Gives the id of the request; null where too many wait. `done` is called at most once, and not after `withdraw`.
   * @param holder of all that its principals ask for together
   */
  ask(asked: Asked, holder: string, done: (answer: ClientAnswer) => void): string | null
  /** Takes the response of a session, on whatever thread it is waited for. */
  answer(asked: Asked, id: unknown, answer: ClientAnswer): void
  /** Nobody waits for it any more. */
  withdraw(id: string): void
}

/** Questions that wait for one principal in one thread. */
const EACH_MAX = 16
/** And for all. */
const ALL_MAX = 512
/** How long a client may take, milliseconds. */
const CLIENT_ANSWER_MS = 5 * 60_000
const TOPIC = 'client_answered'

interface Waiting extends Asked {
  readonly holder: string
  readonly done: (answer: ClientAnswer) => void
  readonly timer: NodeJS.Timeout
}

export function createClientQuestions(events: Events): ClientQuestions {
  const waiting = new Map<string, Waiting>()
  const share = new PoolShare(ALL_MAX)

  /** False when it is not waited for here. */
  function answerHere({ identity, sessionId }: Asked, id: string, answer: ClientAnswer): boolean {
    const question = waiting.get(id)
    if (question === undefined) return false
    if (question.identity !== identity || question.sessionId !== sessionId) return true
    end(id, question, answer)
    return true
  }

  function remove(id: string, { timer, holder }: Waiting): void {
    waiting.delete(id)
    share.give(holder)
    clearTimeout(timer)
  }

  function end(id: string, question: Waiting, answer: ClientAnswer): void {
    remove(id, question)
    question.done(answer)
  }

  events.subscribe(TOPIC, (text) => {
    // Published below
    const { asked, id, answer } = JSON.parse(text) as { asked: Asked; id: string; answer: ClientAnswer }
    answerHere(asked, id, answer)
  })

  return {
    ask(asked, holder, done) {
      let own = 0
      for (const { identity } of waiting.values()) if (identity === asked.identity) own++
      if (own >= EACH_MAX || !share.mayTake(holder)) return null
      const id = randomBytes(16).toString('base64url')
      const timer = setTimeout(() => end(id, question, null), CLIENT_ANSWER_MS).unref()
      const question: Waiting = { ...asked, holder, done, timer }
      share.take(holder)
      waiting.set(id, question)
      return id
    },
    answer(asked, id, answer) {
      if (typeof id !== 'string' || id.length > 64) return
      if (!answerHere(asked, id, answer))
        events.publish({ topic: TOPIC, text: JSON.stringify({ asked, id, answer }) })
    },
    withdraw(id) {
      const question = waiting.get(id)
      if (question !== undefined) remove(id, question)
    },
  }
}

/** Capabilities of a client that servers ask by, and nothing else that it has declared. */
export function askableOf(capabilities: unknown): Members {
  if (!isMembers(capabilities)) return {}
  const { elicitation, sampling, roots } = capabilities
  const modes = isMembers(elicitation)
    ? {
        ...(isMembers(elicitation['form']) ? { form: {} } : {}),
        ...(isMembers(elicitation['url']) ? { url: {} } : {}),
      }
    : null
  const uses = isMembers(sampling)
    ? {
        ...(isMembers(sampling['tools']) ? { tools: {} } : {}),
        ...(isMembers(sampling['context']) ? { context: {} } : {}),
      }
    : null
  return {
    ...(modes === null ? {} : { elicitation: modes }),
    ...(uses === null ? {} : { sampling: uses }),
    ...(isMembers(roots) ? { roots: {} } : {}),
  }
}
