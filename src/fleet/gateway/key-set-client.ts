/** Asks the main thread for key sets of issuers. The main thread fetches each set once for all threads. */
import { createQuestions, type Questions } from '../../base/threads/in-line.ts'
import type { KeySetAnswer, LoadKeySet } from '../../gateway/identify/key-sets.ts'
import type { FromGateway } from '../shared/messages.ts'

/** Longer than two fetches of the main thread may take. */
const ANSWER_MS = 12_000

/** Key sets as a gateway thread gets them: the main thread fetches each once for all threads, and outlives them. */
export interface KeySetClient extends Pick<Questions<KeySetAnswer>, 'answered'> {
  readonly load: LoadKeySet
}

export function createKeySetClient(say: (message: FromGateway) => void): KeySetClient {
  const questions = createQuestions<KeySetAnswer>(() => ({ ok: false, reason: 'no answer in time' }))
  return {
    load: (source, maxAgeMs) =>
      questions.ask(ANSWER_MS, (id) => say({ kind: 'key_set', id, source, maxAgeMs })),
    answered: questions.answered,
  }
}
