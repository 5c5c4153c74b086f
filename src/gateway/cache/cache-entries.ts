/**
 * The response cache of one gateway thread. Every part of the request that the upstream receives from the caller, and
 * that can change a response that is kept, belongs to the key (`cache-rules.ts`).
 */
import { isFromAhead } from '../../base/clock.ts'
import type { LinkedProxy } from '../../snapshot/linked-types/collection.ts'
import type { LinkedCredential } from '../../snapshot/linked-types/credential.ts'
import { type KeptAnswer, sizeOf } from '../kept-answer.ts'

/** One kept answer. Times are wall-clock milliseconds. */
export interface CacheEntry extends KeptAnswer {
  /** As it was linked then: an answer of an earlier configuration is not given again. */
  readonly proxy: LinkedProxy
  readonly credential: LinkedCredential | null
  /** Hash of the guardrails that have left the answer; empty for none. */
  readonly guardrails: string
  readonly keptAt: number
  /** When its age was 0. */
  readonly bornAt: number
  readonly freshUntil: number
  /** Until then it stands in for a failing upstream. */
  readonly staleUntil: number
}

/** Answers of one gateway thread, at most `bytesMax` bytes of them; the one unused for longest goes first. */
export class AnswerCache {
  readonly #entries = new Map<string, CacheEntry>()
  readonly #bytesMax: number
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  get(
    key: string,
    { proxy, credential, guardrails }: Pick<CacheEntry, 'proxy' | 'credential' | 'guardrails'>,
    now: number,
  ): CacheEntry | null {
    const entry = this.#entries.get(key)
    if (entry === undefined) return null
    const isOfNow =
      entry.proxy === proxy && entry.credential === credential && entry.guardrails === guardrails
    if (!isOfNow || now >= entry.staleUntil || isFromAhead(entry.keptAt, now)) {
      this.#drop(key, entry)
      return null
    }
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry
  }

  put(key: string, entry: CacheEntry): void {
    const before = this.#entries.get(key)
    if (before !== undefined) this.#drop(key, before)
    const size = sizeOf(entry) + key.length
    if (size > this.#bytesMax) return
    this.#entries.set(key, entry)
    this.#bytes += size
    for (const [oldest, old] of this.#entries) {
      if (this.#bytes <= this.#bytesMax) break
      this.#drop(oldest, old)
    }
  }

  #drop(key: string, entry: CacheEntry): void {
    this.#entries.delete(key)
    this.#bytes -= sizeOf(entry) + key.length
  }
}
