import type { ConsoleCall, ConsoleCaller } from '../../model/console-caller.ts'
import { PoolShare } from '../../wire/pool-share.ts'
import type { FromGateway } from '../shared/messages.ts'
import { createQuestions, type Questions } from './questions.ts'

/** Sessions of one thread that are being proved; sources share these places. */
const ASKED_MAX = 64
/** The authorization server may have to be loaded first, milliseconds. */
const ANSWER_MS = 10_000

/** Sessions of the console as a gateway thread has them proved, with the tokens by which they call virtual MCPs. */
export interface ConsoleCallers extends Pick<Questions<ConsoleCaller>, 'answered'> {
  /**
   * Never rejects. Nothing is remembered here: a session that has ended counts no longer with the next message.
   * @param source network of the caller
   */
  ask(call: ConsoleCall, source: string): Promise<ConsoleCaller>
}

export function createConsoleCallers(say: (message: FromGateway) => void): ConsoleCallers {
  const questions = createQuestions<ConsoleCaller>(LATE, ANSWER_MS)
  const places = new PoolShare(ASKED_MAX)
  return {
    async ask(call, source) {
      if (!places.mayTake(source)) return LATE
      places.take(source)
      const caller = await questions.ask((id) => say({ kind: 'console_caller', id, ...call }))
      places.give(source)
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
