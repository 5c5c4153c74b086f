/**
 * What a gateway thread asks the main thread: sessions at origins, accounts of people, idempotency keys, keys of identity
 * providers and sign-ins. Each answer has a time after which the caller is told that none came.
 */

import { PoolShare } from '../../base/memory/pool-share.ts'
import { createQuestions, type Questions } from '../../base/threads/in-line.ts'
import { type Connections, createConnections } from '../../gateway/forward/connections.ts'
import type { Claim, IdempotencyKeys } from '../../gateway/idempotency/keys.ts'
import type { KeySetAnswer, LoadKeySet } from '../../gateway/identify/key-sets.ts'
import type { SignIns } from '../../gateway/identify/sign-in-port.ts'
import type { ConnectionAnswer, SignInProof } from '../../model/access/caller.ts'
import type { Claimed, Once, OnceKind } from '../../shared-state/ports/memory.ts'
import type {
  OriginSessionPool,
  PooledSession,
  SessionKey,
  TakenSession,
} from '../../shared-state/ports/origin-sessions.ts'
import type { FromGateway, SessionReply, SessionSaid } from '../shared/messages.ts'

/** Longer than an origin takes to open a session; a caller that waits for longer is told so. */
const TAKE_MS = 60_000
const LATE_SESSION = { kind: 'failed', reason: 'its session was not opened in time' } as const

/** Sessions at origins as a gateway thread takes them: the one pool of them is in the main thread. */
export interface OriginSessionClient extends OriginSessionPool {
  /** Takes what the main thread says. */
  heard(reply: SessionReply): void
}

/** @param say tells the main thread; its replies come by `heard` */
export function createOriginSessionClient(say: (message: FromGateway) => void): OriginSessionClient {
  const taking = createQuestions<TakenSession>(() => LATE_SESSION)
  const releasing = new Map<number, (isLast: boolean) => void>()
  let retired: (session: PooledSession) => void = () => {}
  let last = 0
  const tell = (said: SessionSaid): void => say({ kind: 'origin_session', said })

  return {
    take: (key: SessionKey) => taking.ask(TAKE_MS, (id) => tell({ about: 'take', id, key })),
    opened: (serial, session) => tell({ about: 'opened', serial, session }),
    failed: (serial, reason) => tell({ about: 'failed', serial, reason }),
    used: (serial) => tell({ about: 'used', serial }),
    taskBegan: (serial, task, ms) => tell({ about: 'task_began', serial, task, ms }),
    taskEnded: (origin, session, task) => tell({ about: 'task_ended', origin, session, task }),
    clientLeft: (client) => tell({ about: 'client_left', client }),
    gone: (serial) => tell({ about: 'gone', serial }),
    release: (serial) =>
      new Promise((resolve) => {
        const id = ++last
        releasing.set(id, resolve)
        tell({ about: 'release', id, serial })
      }),
    onRetired(listener) {
      retired = listener
    },
    heard(reply) {
      switch (reply.about) {
        case 'taken': {
          const { id, taken } = reply
          // Those who wait elsewhere must not wait for a caller that has given up
          if (!taking.answered(id, taken) && taken.kind === 'open')
            tell({ about: 'failed', serial: taken.serial, reason: LATE_SESSION.reason })
          return
        }
        case 'released':
          releasing.get(reply.id)?.(reply.isLast)
          releasing.delete(reply.id)
          return
        case 'retired':
          retired(reply.session)
      }
    },
  }
}

// Asks the main thread for key sets of issuers. The main thread fetches each set once for all threads.

/** Longer than two fetches of the main thread may take. */
const KEYS_MS = 12_000

/** Key sets as a gateway thread gets them: the main thread fetches each once for all threads, and outlives them. */
export interface KeySetClient extends Pick<Questions<KeySetAnswer>, 'answered'> {
  readonly load: LoadKeySet
}

export function createKeySetClient(say: (message: FromGateway) => void): KeySetClient {
  const questions = createQuestions<KeySetAnswer>(() => ({ ok: false, reason: 'no answer in time' }))
  return {
    load: (source, maxAgeMs) =>
      questions.ask(KEYS_MS, (id) => say({ kind: 'key_set', id, source, maxAgeMs })),
    answered: questions.answered,
  }
}

// Tells the main thread which resources of origins this thread must be notified about.

/** What this thread wants to hear of resources of origins: the main thread has one thread watch each origin for all. */
export interface SharedWatchClient {
  want(origin: string, uris: readonly string[]): void
  onUpdated(listener: (origin: string, uris: readonly string[]) => void): void
  /** Resources that this thread wants to hear of have changed. */
  updated(origin: string, uris: readonly string[]): void
}

export function createSharedWatch(say: (message: FromGateway) => void): SharedWatchClient {
  let told: (origin: string, uris: readonly string[]) => void = () => {}
  return {
    want: (origin, uris) => say({ kind: 'want_resources', origin, uris }),
    onUpdated(listener) {
      told = listener
    },
    updated: (origin, uris) => told(origin, uris),
  }
}

// Asks the main thread for the accounts of people at origins, and remembers them until they end.

/** The main thread may have to refresh a token first, milliseconds. */
const ACCESS_MS = 30_000

/** Accounts at origins as a gateway thread gets them: the main thread keeps and refreshes the tokens. */
export interface ConnectionClient extends Connections, Pick<Questions<ConnectionAnswer>, 'answered'> {}

/** @param ended connections that have ended, and grants; shared by all threads */
export function createConnectionClient(
  ended: { has(id: string, now: number): boolean; epoch(): number },
  clock: { now(): number },
  say: (message: FromGateway) => void,
): ConnectionClient {
  const questions = createQuestions<ConnectionAnswer>(() => LATE_ACCESS)
  const connections = createConnections({
    clock,
    hasEnded: (connection) => ended.has(connection, clock.now()),
    epoch: () => ended.epoch(),
    ask: (user, origin, refused) =>
      questions.ask(ACCESS_MS, (id) => say({ kind: 'connection', id, user, origin, refused })),
  })
  return { ...connections, answered: questions.answered }
}

const LATE_ACCESS: ConnectionAnswer = {
  ok: false,
  code: 'credential_unavailable',
  reason: 'The token of the account was not available in time. Try again.',
  page: null,
}

// Asks the main thread about idempotency keys. Their memory is in the main thread.

/** The main thread answers from memory; one that takes longer is in trouble. */
const CLAIM_MS = 1000

/** Idempotency keys as a gateway thread uses them: the one memory of them is in the main thread. */
export interface IdempotencyClient extends IdempotencyKeys {
  /** The main thread's answer to the claim of that number. */
  claimed(id: number, claim: Claim): void
}

/** @param say tells the main thread; its answers come by `claimed` */
export function createIdempotencyClient(say: (message: FromGateway) => void): IdempotencyClient {
  const questions = createQuestions<Claim>(() => LATE_CLAIM)
  /** Keys of claims that nobody waits for any more. */
  const late = new Map<number, string>()

  return {
    async claim(key, fingerprint) {
      let asked = 0
      const claim = await questions.ask(CLAIM_MS, (id) => {
        asked = id
        say({ kind: 'claim', id, key, fingerprint })
      })
      if (claim === LATE_CLAIM) late.set(asked, key)
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

const LATE_CLAIM: Claim = { state: 'unavailable' }

// Claims keys that are used once over all processes. The main thread asks the database.

/** The database answers in a millisecond; one that takes longer is in trouble. */
const ONCE_MS = 1000

export interface OnceClient extends Pick<Questions<Claimed>, 'answered'> {
  /** Keys of one kind, over all processes. A key whose answer came too late may stay used. */
  of(kind: OnceKind): Once
}

/** @param say tells the main thread; its answers come by `answered` */
export function createOnceClient(say: (message: FromGateway) => void): OnceClient {
  const questions = createQuestions<Claimed>(() => 'unavailable')
  return {
    of: (kind) => ({
      claim: (key, until, now) =>
        questions.ask(ONCE_MS, (id) => say({ kind: 'claim_once', id, of: kind, key, until, now })),
    }),
    answered: questions.answered,
  }
}

// Asks the main thread to verify access tokens of people. Revoked grants are known to all threads at once through shared
// memory.

/** Tokens of one thread that are being verified; sources share these places. */
const ASKED_MAX = 512
const PROOF_MS = 5000

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
        .ask(PROOF_MS, (id) => say({ kind: 'sign_in', id, token, resource }))
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
