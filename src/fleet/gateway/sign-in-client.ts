/**
 * Asks the main thread to verify access tokens of people. Revoked grants are known to all threads at once through shared
 * memory.
 */
import { PoolShare } from '../../base/memory/pool-share.ts'
import { createQuestions, type Questions } from '../../base/threads/in-line.ts'
import type { SignIns } from '../../gateway/identify/sign-ins.ts'
import type { SignInProof } from '../../model/access/caller.ts'
import type { FromGateway } from '../shared/messages.ts'

/** Tokens of one thread that are being verified; sources share these places. */
const ASKED_MAX = 512
const ANSWER_MS = 5000

/** Sign-ins as a gateway thread gets them: the main thread verifies tokens, and ended grants are known to all threads at once. */
export interface SignInClient extends SignIns, Pick<Questions<SignInProof>, 'answered'> {}

const unavailable = (reason: string): SignInProof => ({ ok: false, code: 'identity_unavailable', reason })

/**
 * @param issuer of the tokens
 * @param endedGrants grants that were revoked; shared by all threads
 */
export function createSignInClient(
  issuer: string,
  endedGrants: { has(grant: string, now: number): boolean; epoch(): number },
  clock: { now(): number },
  say: (message: FromGateway) => void,
): SignInClient {
  const asked = new Map<string, Promise<SignInProof>>()
  const places = new PoolShare(ASKED_MAX)
  const questions = createQuestions<SignInProof>(() => unavailable('no answer in time'))
  return {
    issuer,
    hasEnded: (grant) => endedGrants.has(grant, clock.now()),
    epoch: () => endedGrants.epoch(),
    prove(token, resource, source) {
      const key = `${resource} ${token}`
      const same = asked.get(key)
      if (same !== undefined) return same
      if (!places.mayTake(source))
        return Promise.resolve(unavailable('too many tokens of this source are being verified'))
      places.take(source)
      const proof = questions
        .ask(ANSWER_MS, (id) => say({ kind: 'sign_in', id, token, resource }))
        .finally(() => {
          asked.delete(key)
          places.give(source)
        })
      asked.set(key, proof)
      return proof
    },
    answered: questions.answered,
  }
}
