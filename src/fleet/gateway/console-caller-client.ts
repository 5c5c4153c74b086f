import { createHash } from 'node:crypto'
import { Lru } from '../../base/lru.ts'
import type { ConsoleCall, ConsoleCaller } from '../../model/console-caller.ts'
import { PoolShare } from '../../wire/pool-share.ts'
import type { FromGateway } from '../shared/messages.ts'
import { createQuestions, type Questions } from './questions.ts'

/**
 * Sessions of one thread that are being proved. Those that were proved before share these places with the sources of all others, so
 * that an address which sends forged sessions takes nothing from a person behind it.
 */
const ASKED_MAX = 64
/** Sessions that are known to have been proved. */
const PROVED_MAX = 1024
/** The authorization server may have to be loaded first, milliseconds. */
const ANSWER_MS = 10_000

/** Sessions of the console as a gateway thread has them proved, with the tokens by which they call virtual MCPs. */
export interface ConsoleCallerClient extends Pick<Questions<ConsoleCaller>, 'answered'> {
  /**
   * Never rejects. What is remembered decides about places alone: a session that has ended counts no longer with the next message.
   * @param source network of the caller
   */
  ask(call: ConsoleCall, source: string): Promise<ConsoleCaller>
}

export function createConsoleCallerClient(say: (message: FromGateway) => void): ConsoleCallerClient {
  const questions = createQuestions<ConsoleCaller>(LATE, ANSWER_MS)
  const places = new PoolShare(ASKED_MAX)
  const proved = new Lru<string, true>(PROVED_MAX)
  return {
    async ask(call, source) {
      const sent = createHash('sha256').update(call.sessions.join(' ')).digest('base64url')
      const holder = proved.get(sent) === undefined ? source : `session ${sent}`
      if (!places.mayTake(holder)) return LATE
      places.take(holder)
      const caller = await questions.ask((id) => say({ kind: 'console_caller', id, ...call }))
      places.give(holder)
      if (caller.ok) proved.set(sent, true)
      else if (caller.code !== 'store_unavailable') proved.delete(sent)
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
