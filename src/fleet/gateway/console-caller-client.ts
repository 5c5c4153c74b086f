/**
 * Asks the main thread to verify sessions of the console. The answer has the token with which the person calls virtual MCPs.
 */
import { createHash } from 'node:crypto'
import { Lru } from '../../base/memory/lru.ts'
import { PoolShare } from '../../base/memory/pool-share.ts'
import { createQuestions, type Questions } from '../../base/threads/in-line.ts'
import type { ConsoleCall, ConsoleCaller } from '../../model/access/caller.ts'
import type { FromGateway } from '../shared/messages.ts'

/**
 * Sessions that one thread has verified at the same time, at most. Each source has a share, and so has each session that was verified
 * before: forged sessions from an address take no place from a person at the same address.
 */
const ASKED_MAX = 64
/** Verified sessions that have a share of their own. */
const VERIFIED_MAX = 1024
/** The authorization server may have to be loaded first, milliseconds. */
const ANSWER_MS = 10_000

/** Has sessions of the console verified by the main thread, which answers with the tokens by which they call virtual MCPs. */
export interface ConsoleCallerClient extends Pick<Questions<ConsoleCaller>, 'answered'> {
  /**
   * Never rejects. Each message has its session verified: a session that has ended is refused with the next message.
   * @param source network of the caller
   */
  ask(call: ConsoleCall, source: string): Promise<ConsoleCaller>
}

export function createConsoleCallerClient(say: (message: FromGateway) => void): ConsoleCallerClient {
  const questions = createQuestions<ConsoleCaller>(() => LATE)
  const places = new PoolShare(ASKED_MAX)
  const verified = new Lru<string, true>(VERIFIED_MAX)
  return {
    async ask(call, source) {
      const sent = createHash('sha256').update(call.sessions.join(' ')).digest('base64url')
      const holder = verified.get(sent) === undefined ? source : `session ${sent}`
      if (!places.mayTake(holder)) return LATE
      places.take(holder)
      const caller = await questions.ask(ANSWER_MS, (id) => say({ kind: 'console_caller', id, ...call }))
      places.give(holder)
      if (caller.ok) verified.set(sent, true)
      else if (caller.code !== 'store_unavailable') verified.delete(sent)
      return caller
    },
    answered: questions.answered,
  }
}

const LATE: ConsoleCaller = {
  ok: false,
  code: 'store_unavailable',
  detail: 'The session could not be checked in time. Try again.',
}
