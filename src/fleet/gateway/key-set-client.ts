import type { KeySetAnswer, LoadKeySet } from '../../gateway/identify/key-sets.ts'
import type { FromGateway } from '../shared/messages.ts'

/** Longer than two fetches of the main thread may take. */
const ANSWER_MS = 12_000

/** Key sets as a gateway thread gets them: the main thread fetches each once for all threads, and outlives them. */
export interface KeySetClient {
  readonly load: LoadKeySet
  /** Takes the answer of the main thread to the question of that number. */
  readonly answered: (id: number, answer: KeySetAnswer) => void
}

export function createKeySetClient(say: (message: FromGateway) => void): KeySetClient {
  const waiting = new Map<number, (answer: KeySetAnswer) => void>()
  let last = 0
  return {
    load: (source, maxAgeMs) =>
      new Promise((resolve) => {
        const id = ++last
        const end = (answer: KeySetAnswer): void => {
          clearTimeout(timer)
          waiting.delete(id)
          resolve(answer)
        }
        const timer = setTimeout(() => end({ ok: false, reason: 'no answer in time' }), ANSWER_MS)
        waiting.set(id, end)
        say({ kind: 'key_set', id, source, maxAgeMs })
      }),
    answered: (id, answer) => waiting.get(id)?.(answer),
  }
}
