/**
 * The memory of idempotency keys: one for all gateway threads, in the main thread, so that a key is claimed once.
 *
 * 1. A claim is written to `idempotency.db` before it is answered, and read at the next start. Responses are sealed.
 * 2. If a thread or process ends during a request, the effect of the request is unknown. It is not made again under its key.
 * 3. Keys expire by the time that has passed, not by the clock: a clock that jumps keeps none longer and drops none earlier.
 *    The file has times of the clock, so it is written again after a jump.
 * 4. If the file cannot be written, the memory continues alone, and writes everything as soon as it can.
 */
import { createSecretKey } from 'node:crypto'
import { type Clock, type Repeating, repeat, steadyOf } from '../../base/clock.ts'
import { decrypt, encrypt } from '../../base/crypto/sealing.ts'
import type { AccessFault } from '../../base/files.ts'
import { ownedBytes } from '../../base/memory/bytes.ts'
import {
  IdempotencyMemory,
  KEYS_BOUNDS,
  type KeptKey,
  type KeyKeeper,
} from '../../gateway/idempotency/keys.ts'
import type { KeptAnswer } from '../../gateway/kept-answer.ts'
import type { KeyRow, KeyStore } from '../../store/ports/places.ts'
import { type Probed, StoreUnavailable } from '../../store/ports/unavailable.ts'

const EXPIRE_MS = 1000
/** In each turn, so that none holds up what else the main thread does. */
const EXPIRED_MAX = 200
/** A clock that moves against the time that has passed by more than that, milliseconds, has jumped; less is keeping the time. */
const JUMP_MS = 60_000
/** Everything is written for it, which a disk that stays full must not have happen all the time. */
const MEND_MS = 30_000

export interface IdempotencyKeysParts extends Repeating {
  /** It is closed after `parts`. */
  readonly store: KeyStore
  /** Seals answers; 32 bytes. */
  readonly sealKey: Uint8Array
  readonly clock: Clock
  /** The file that may not be written, where `store` is a copy of it that ends with the process; null otherwise. */
  readonly unwritable: { readonly file: string; readonly fault: AccessFault } | null
}

/** The memory of idempotency keys for all gateway threads, with what the process before knew. Throws CannotStart as its store does. */
export function openIdempotencyKeys(its: IdempotencyKeysParts): {
  readonly keys: IdempotencyMemory
  readonly kept: Probed
} {
  const { store, sealKey, clock, unwritable, fault, parts } = its
  const unkept = (error: unknown): void => fault(error, 'idempotency keys are not kept over a restart')
  const keeper = createKeyKeeper(store, sealKey, unkept)
  const { now } = steadyOf(clock)
  const keys = new IdempotencyMemory({ ...KEYS_BOUNDS, now, keeper })
  keys.restore(keeper.load())
  parts.defer(() => {
    try {
      keeper.mend(() => keys.all())
    } catch (error) {
      unkept(error)
    }
  })
  repeat(its, EXPIRE_MS, 'idempotency keys', () => {
    if (keeper.follow(clock.now() - now())) keeper.mend(() => keys.all())
    keys.expire(EXPIRED_MAX)
  })
  repeat(its, MEND_MS, 'idempotency keys', () => keeper.mend(() => keys.all()))
  return { keys, kept: unwritable === null ? keeper : unkeepable(unwritable) }
}

/** Of keys that are written to a copy, which ends with the process. */
function unkeepable({
  file,
  fault: { found, fix },
}: NonNullable<IdempotencyKeysParts['unwritable']>): Probed {
  const inner = `${file}: ${found}. ${fix}`
  return { fault: new StoreUnavailable('read_only', inner), async probe() {} }
}

/** Keeps idempotency keys over a restart, their answers sealed. */
export interface StoredKeyKeeper extends KeyKeeper, Probed {
  /** What the process before kept; nothing when the file is gone, damaged or cannot be read. Throws CannotStart for one of a newer version. */
  load(): readonly KeptKey[]
  /**
   * Takes up that the clock is now so many milliseconds ahead of the time that keys expire by. True after a jump: what is in the
   * file has other times, and nothing is kept until {@link StoredKeyKeeper.mend}.
   */
  follow(ahead: number): boolean
  /** After a fault or a jump: keeps all there is anew. Throws while that is not possible. */
  mend(all: () => Iterable<KeptKey>): void
}

/**
 * A store that fails leaves the keys to the memory alone: calls go on, and a restart before it is mended forgets some.
 * @param sealKey 32 bytes. @param report told once of each fault.
 */
export function createKeyKeeper(
  store: KeyStore,
  sealKey: Uint8Array,
  report: (error: unknown) => void,
): StoredKeyKeeper {
  const seal = createAnswerSeal(sealKey)
  let isWhole = true
  /** Milliseconds from the time that keys expire by to the clock, as the rows in the file have them. */
  let ahead = 0
  let fault: StoreUnavailable | null = null

  function orLater(work: () => void): void {
    try {
      work()
    } catch (error) {
      isWhole = false
      fault = toFault(error)
      report(error)
    }
  }

  function recover(): void {
    isWhole = true
    fault = null
  }

  function toRow({ key, fingerprint, until, answer }: KeptKey): KeyRow {
    const shared = { key, fingerprint, until: Math.floor(until + ahead) }
    if (answer === undefined) return { ...shared, state: 'open', sealed: null }
    if (answer === null) return { ...shared, state: 'unkept', sealed: null }
    return { ...shared, state: 'answered', sealed: seal.seal(key, answer) }
  }

  function fromRow({ key, fingerprint, until, state, sealed }: KeyRow): KeptKey {
    const shared = { key, fingerprint, until }
    if (state === 'open') return { ...shared, answer: undefined }
    return { ...shared, answer: sealed && seal.open(key, sealed) }
  }

  return {
    load() {
      try {
        return store.load().map(fromRow)
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        orLater(() => {
          throw error
        })
        if (error.fault === 'damaged')
          orLater(() => {
            store.replace(() => [])
            recover()
          })
        return store.loadUnwritable().map(fromRow)
      }
    },
    keep(gone, put) {
      if (isWhole) orLater(() => store.save(gone, put === null ? [] : [toRow(put)]))
    },
    follow(now) {
      if (Math.abs(now - ahead) <= JUMP_MS) return false
      ahead = now
      isWhole = false
      return true
    },
    mend(all) {
      if (isWhole) return
      store.replace(function* () {
        for (const kept of all()) yield toRow(kept)
      })
      recover()
    },
    get fault() {
      return fault
    },
    async probe() {
      if (isWhole) orLater(() => store.look())
    },
  }
}

/** Seals answers, each for its key. */
export interface AnswerSeal {
  seal(key: string, answer: KeptAnswer): Uint8Array
  /** Null for what was sealed by another key file, or is damaged: the request was made all the same. */
  open(key: string, sealed: Uint8Array): KeptAnswer | null
}

/** @param sealKey 32 bytes */
export function createAnswerSeal(sealKey: Uint8Array): AnswerSeal {
  // Read once: as bytes it would cost more than the sealing
  const sealing = createSecretKey(sealKey)
  return {
    seal: (key, answer) => encrypt(sealing, packed(answer), key),
    open(key, sealed) {
      try {
        return unpacked(decrypt(sealing, sealed, key))
      } catch {
        return null
      }
    },
  }
}

function packed({ status, fields, body, guardrails }: KeptAnswer): string {
  const parts = [status, fields, Buffer.from(body).toString('base64')]
  return JSON.stringify(guardrails === undefined ? parts : [...parts, guardrails])
}

/** Of {@link packed} alone, as the seal proves. */
function unpacked(text: string): KeptAnswer {
  const [status, fields, body, guardrails] = JSON.parse(text) as [number, string, string, string?]
  const answer = { status, fields, body: ownedBytes(Buffer.from(body, 'base64')) }
  return guardrails === undefined ? answer : { ...answer, guardrails }
}

function toFault(error: unknown): StoreUnavailable {
  return error instanceof StoreUnavailable ? error : new StoreUnavailable('io_error', String(error), error)
}
