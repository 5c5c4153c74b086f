/**
 * Remembers which bearer tokens the control plane has verified recently. This only decides which share of its capacity a
 * request may use: the control plane verifies the token again.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import type { Protected } from '../../base/doors.ts'
import { Lru } from '../../base/memory/lru.ts'
import { PoolShare } from '../../base/memory/pool-share.ts'
import { createQuestions, type Questions } from '../../base/threads/in-line.ts'
import type { FromGateway } from '../shared/messages.ts'

/** How long a token that was verified counts as verified when capacity is shared out, milliseconds. */
const KEPT_MS = 60_000
const KEPT_MAX = 4096
/** Tokens of one thread that are being verified; sources share these places. */
const ASKED_MAX = 512
/** An issuer may have to be asked for its keys. */
const ANSWER_MS = 12_000

/**
 * Which bearer tokens have lately been verified by the control plane. That decides which share of its capacity a request
 * may use, and nothing else: the control plane verifies the token of each request again.
 */
export interface VerifiedTokens extends Pick<Questions<string | null>, 'answered'> {
  /** Id of the principal that the token was verified for; null when it must be asked for. */
  known(token: string, resource: Protected): string | null
  /**
   * Has the token verified. Null when it is invalid, could not be verified in time, or when its source has too many others
   * verified. Never rejects.
   * @param source network of the caller.
   */
  ask(token: string, resource: Protected, source: string): Promise<string | null>
}

export function createVerifiedTokens(clock: Clock, say: (message: FromGateway) => void): VerifiedTokens {
  const kept = new Lru<string, { readonly principal: string; readonly until: number }>(KEPT_MAX)
  const asked = new Map<string, Promise<string | null>>()
  const places = new PoolShare(ASKED_MAX)
  const questions = createQuestions<string | null>(() => null)

  return {
    known(token, resource) {
      const proof = kept.get(fingerprint(token, resource))
      return proof === undefined || proof.until <= clock.monotonic() ? null : proof.principal
    },
    ask(token, resource, source) {
      const key = fingerprint(token, resource)
      const same = asked.get(key)
      if (same !== undefined) return same
      if (!places.mayTake(source)) return Promise.resolve(null)
      places.take(source)
      const proof = questions
        .ask(ANSWER_MS, (id) => say({ kind: 'prove', id, token, resource }))
        .then((principal) => {
          asked.delete(key)
          places.give(source)
          if (principal !== null) kept.set(key, { principal, until: clock.monotonic() + KEPT_MS })
          return principal
        })
      asked.set(key, proof)
      return proof
    },
    answered: questions.answered,
  }
}

/** Tokens themselves are not kept. */
function fingerprint(token: string, resource: Protected): string {
  return createHash('sha256').update(`${resource} ${token}`).digest('base64')
}
