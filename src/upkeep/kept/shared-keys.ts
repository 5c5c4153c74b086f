/**
 * Idempotency keys that all nodes on one database share, as the main thread of one of them uses them.
 *
 * 1. A key is claimed in the database before its request is made: of all nodes, one makes the request. While the database cannot be used,
 *    nobody can tell whether a key was used, and its requests are refused.
 * 2. How a request ended is written when the database can be used again. Until then this process answers for its own keys.
 * 3. If the node ends during a request, its key counts as cut off for all nodes. A claim whose answer was lost is taken back.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { type Repeating, repeat } from '../../base/clock.ts'
import { InLine } from '../../base/threads/in-line.ts'
import {
  bytesOf,
  type Claim,
  clientOf,
  ENTRY_BYTES,
  KEYS_BOUNDS,
  type KeysOfThreads,
} from '../../gateway/idempotency/keys.ts'
import type { KeptAnswer } from '../../gateway/kept-answer.ts'
import type { NodeIdentity } from '../../store/ports/nodes.ts'
import type { KeyStore } from '../../store/ports/places.ts'
import type { FoundKey, SharedKeyRows } from '../../store/ports/shared-keys.ts'
import { type Probed, StoreUnavailable, toLastingFault } from '../../store/ports/unavailable.ts'
import { createAnswerSeal } from './idempotency-keys.ts'

const MEND_MS = 1000
/** How long the end of the process waits for what is not written yet, milliseconds. */
const STOP_MS = 5000
/** Ends that are written at the same time: claims need connections too. */
const WRITES = 2
/** The part of the room of all keys that a node may fill before it looks whether there is room. */
const UNSEEN_SHARE = 1 / 8

const WHAT = 'idempotency keys'
const UNAVAILABLE: Claim = { state: 'unavailable' }

/** For the log, while the rows cannot be used. */
export const SHARED_KEYS_EFFECT =
  'Traffic is served; requests with an idempotency key get 503 until it can be used again.'

export interface SharedKeysParts extends Repeating {
  readonly rows: SharedKeyRows
  /** Keys of the time before the database. It is closed after `parts`. */
  readonly file: KeyStore
  /** Seals answers; 32 bytes. */
  readonly sealKey: Uint8Array
  /** This process among the nodes; epoch 0 while it is not one of them. */
  readonly node: () => NodeIdentity
  /** Room of all keys, bytes. */
  readonly bytesMax?: number
}

/** A request of this process whose end is not in the database. */
interface Own {
  readonly fingerprint: string
  readonly number: number
  readonly owner: number
  end: 'answered' | 'unkept' | 'cut_off' | 'released' | null
  /** Null unless `answered`. */
  answer: KeptAnswer | null
  writing: Promise<void> | null
}

export function openSharedKeys(parts: SharedKeysParts): {
  readonly keys: KeysOfThreads
  readonly kept: Probed
  /** As each timer does it: writes what waits for the database. */
  readonly mend: () => Promise<void>
} {
  const { rows, file, node, bytesMax = KEYS_BOUNDS.bytesMax } = parts
  const processId = randomUUID()
  const seal = createAnswerSeal(parts.sealKey)
  const own = new Map<string, Own>()
  const claiming = new Set<number>()
  const writes = new InLine(WRITES)
  /** How often a thread of each slot has ended. */
  const ends = new Map<number, number>()
  let last = 0
  let fault: StoreUnavailable | null = null
  let isProbing = false
  /** The database may have claims of which this process has not heard. */
  let isUnsure = false
  /** Of answers that are not written yet. */
  let waitingBytes = 0
  let unseenBytes = 0
  let older: readonly Parameters<SharedKeyRows['takeOver']>[0][number][] = []

  function failed(error: unknown): void {
    fault = toLastingFault(error) ?? fault
    if (!(error instanceof StoreUnavailable)) parts.fault(error, WHAT)
  }

  async function claim(key: string, fingerprint: string, owner: number): Promise<Claim> {
    const endsBefore = ends.get(owner)
    await own.get(key)?.writing
    const { id, epoch } = node()
    if (epoch === 0) return UNAVAILABLE
    // What the file knows counts before anything is claimed anew
    if (older.length > 0) await mend()
    if (older.length > 0) return UNAVAILABLE
    const number = ++last
    let found: FoundKey | null
    claiming.add(number)
    try {
      found = await rows.claim({
        key,
        client: clientOf(key),
        fingerprint,
        process: processId,
        number,
        node: { id, epoch },
        bytes: ENTRY_BYTES,
      })
      fault = null
    } catch (error) {
      failed(error)
      isUnsure = true
      return UNAVAILABLE
    } finally {
      claiming.delete(number)
    }
    if (found !== null) return toClaim(key, found, fingerprint)
    const its: Own = { fingerprint, number, owner, end: null, answer: null, writing: null }
    own.set(key, its)
    if (ends.get(owner) === endsBefore) return { state: 'claimed' }
    // Nobody makes the request
    end(key, its, 'released')
    return UNAVAILABLE
  }

  function toClaim(key: string, { fingerprint, state, sealed }: FoundKey, asked: string): Claim {
    if (fingerprint !== asked) return { state: 'conflict' }
    if (state === 'open') return { state: 'busy' }
    if (state === 'cut_off') return { state }
    const answer = sealed && seal.open(key, sealed)
    return answer === null ? { state: 'forgotten' } : { state: 'answered', answer }
  }

  function end(key: string, its: Own, how: NonNullable<Own['end']>, answer: KeptAnswer | null = null): void {
    its.end = how
    its.answer = answer
    waitingBytes += bytesOf(answer)
    void write(key, its)
  }

  /** Writes how a request ended; where that fails, it waits for {@link mend}. */
  function write(key: string, its: Own): Promise<void> {
    its.writing ??= writes.run('', async () => {
      const { answer, end: state } = its
      const bytes = bytesOf(answer)
      const claimed = { key, process: processId, number: its.number }
      try {
        if (state === 'released' || state === null) await rows.release(claimed)
        else await rows.end({ ...claimed, state, sealed: answer && seal.seal(key, answer), bytes })
        fault = null
        unseenBytes += bytes
      } catch (error) {
        failed(error)
        its.writing = null
        if (state !== 'released') return
        // The claim is taken back with others of which nobody knows
        isUnsure = true
      }
      waitingBytes -= bytes
      own.delete(key)
    })
    return its.writing
  }

  async function releaseUnknown(): Promise<void> {
    const known = [...claiming, ...[...own.values()].map(({ number }) => number)]
    isUnsure = false
    try {
      await rows.releaseOthers(processId, last + 1, known)
    } catch (error) {
      isUnsure = true
      throw error
    }
  }

  async function mend(): Promise<void> {
    try {
      if (isUnsure) await releaseUnknown()
      for (const [key, its] of own) {
        if (its.end === null) continue
        await write(key, its)
        if (its.writing === null) return
      }
      if (older.length > 0) {
        await rows.takeOver(older)
        older = []
        emptyFile()
      }
      if (unseenBytes > bytesMax * UNSEEN_SHARE) {
        unseenBytes = 0
        await rows.trim(bytesMax)
      }
    } catch (error) {
      failed(error)
    }
  }

  /** Where it cannot be written, the next start takes the same rows over again. */
  function emptyFile(): void {
    try {
      file.replace(() => [])
    } catch (error) {
      parts.fault(error, WHAT)
    }
  }

  try {
    older = file.load().map((row) => ({
      ...row,
      client: clientOf(row.key),
      bytes: ENTRY_BYTES + (row.sealed?.length ?? 0),
    }))
  } catch (error) {
    failed(error)
  }
  repeat(parts, MEND_MS, WHAT, mend)
  parts.parts.defer(() => Promise.race([mend(), wait(STOP_MS, undefined, { ref: false })]))

  return {
    keys: {
      claim(key, fingerprint, owner) {
        const its = own.get(key)
        if (its === undefined || its.end === 'released') return claim(key, fingerprint, owner)
        if (its.fingerprint !== fingerprint) return { state: 'conflict' }
        if (its.end === null) return { state: 'busy' }
        if (its.end === 'cut_off') return { state: 'cut_off' }
        return its.answer === null ? { state: 'forgotten' } : { state: 'answered', answer: its.answer }
      },
      settle(key, answer, owner) {
        const its = own.get(key)
        if (its === undefined || its.owner !== owner || its.end !== null) return
        const fits = answer !== null && waitingBytes + bytesOf(answer) <= bytesMax
        end(key, its, fits ? 'answered' : 'unkept', fits ? answer : null)
      },
      release(key, owner) {
        const its = own.get(key)
        if (its !== undefined && its.owner === owner && its.end === null) end(key, its, 'released')
      },
      cutOff(owner) {
        ends.set(owner, (ends.get(owner) ?? 0) + 1)
        for (const [key, its] of own) if (its.owner === owner && its.end === null) end(key, its, 'cut_off')
      },
    },
    kept: {
      get fault() {
        return fault
      },
      async probe() {
        // Not waited for: other stores are looked at meanwhile
        if (isProbing) return
        isProbing = true
        const probed = rows.probe().then(() => {
          fault = null
        }, failed)
        void probed.then(() => {
          isProbing = false
        })
      },
    },
    mend,
  }
}
