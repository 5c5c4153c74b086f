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
  const waiting = new Map<number, { readonly key: string; readonly done: (claim: Claim) => void }>()
  /** Keys of claims that nobody waits for any more. */
  const late = new Map<number, string>()
  let last = 0

  return {
    claim(key, fingerprint) {
      const id = ++last
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          waiting.delete(id)
          late.set(id, key)
          resolve({ state: 'unavailable' })
        }, ANSWER_MS)
        const done = (claim: Claim): void => {
          clearTimeout(timer)
          resolve(claim)
        }
        waiting.set(id, { key, done })
        say({ kind: 'claim', id, key, fingerprint })
      })
    },
    claimed(id, claim) {
      const waiter = waiting.get(id)
      waiting.delete(id)
      waiter?.done(claim)
      const key = late.get(id)
      late.delete(id)
      if (key !== undefined && claim.state === 'claimed') say({ kind: 'release', key })
    },
    settle: (key, answer) => say({ kind: 'settle', key, answer }),
    release: (key) => say({ kind: 'release', key }),
  }
}
