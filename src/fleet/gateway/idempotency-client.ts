/** Asks the main thread about idempotency keys. Their memory is in the main thread. */
import { createQuestions } from '../../base/threads/in-line.ts'
import type { Claim, IdempotencyKeys } from '../../gateway/idempotency/keys.ts'
import type { FromGateway } from '../shared/messages.ts'

/** The main thread answers from memory; one that takes longer is in trouble. */
const ANSWER_MS = 1000

/** Idempotency keys as a gateway thread uses them: the one memory of them is in the main thread. */
export interface IdempotencyClient extends IdempotencyKeys {
  /** The main thread's answer to the claim of that number. */
  claimed(id: number, claim: Claim): void
}

/** @param say tells the main thread; its answers come by `claimed` */
export function createIdempotencyClient(say: (message: FromGateway) => void): IdempotencyClient {
  const questions = createQuestions<Claim>(() => LATE)
  /** Keys of claims that nobody waits for any more. */
  const late = new Map<number, string>()

  return {
    async claim(key, fingerprint) {
      let asked = 0
      const claim = await questions.ask(ANSWER_MS, (id) => {
        asked = id
        say({ kind: 'claim', id, key, fingerprint })
      })
      if (claim === LATE) late.set(asked, key)
      return claim
    },
    claimed(id, claim) {
      if (questions.answered(id, claim)) return
      const key = late.get(id)
      late.delete(id)
      if (key !== undefined && claim.state === 'claimed') say({ kind: 'release', key })
    },
    settle: (key, answer) => say({ kind: 'settle', key, answer }),
    release: (key) => say({ kind: 'release', key }),
  }
}

const LATE: Claim = { state: 'unavailable' }
