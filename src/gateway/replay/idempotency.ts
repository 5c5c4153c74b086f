import { type KeptAnswer, sizeOf } from './kept-answer.ts'

/** What a claim came to. */
export type Claim =
  /** The request is the first of its key and goes on; {@link IdempotencyKeys.settle} or `release` ends the claim. */
  | { readonly state: 'claimed' }
  /** The first request of the key is still under way. */
  | { readonly state: 'busy' }
  /** The key was used for another request. */
  | { readonly state: 'conflict' }
  | { readonly state: 'answered'; readonly answer: KeptAnswer }
  /** The first request had its effect, but its answer was not kept: too large, broken off, or not as its contract says. */
  | { readonly state: 'forgotten' }
  /** Nobody can tell. */
  | { readonly state: 'unavailable' }

/** Remembers which requests were made under which key, for all gateway threads. */
export interface IdempotencyKeys {
  /** @param key of {@link scopedKey}. @param fingerprint of the whole request. */
  claim(key: string, fingerprint: string): Promise<Claim>
  /** The answer to give from now on; null for one that is not kept. */
  settle(key: string, answer: KeptAnswer | null): void
  /** The request had no answer worth keeping: the next one of the key is a first one. */
  release(key: string): void
}

/** A key within its scope, and whose room in the memory it takes. */
export function scopedKey(client: string, scoped: string): string {
  return `${client} ${scoped}`
}

function clientOf(key: string): string {
  return key.slice(0, key.indexOf(' '))
}

/** Bytes of one answer's body; longer ones are not kept. */
export const ANSWER_BYTES_MAX = 256 * 1024
const KEPT_FOR_MS = 24 * 3_600_000

/** Bounds of the one memory of keys. */
export const KEYS_BOUNDS = { bytesMax: 64 * 1024 * 1024, entriesMax: 200_000 } as const

interface Entry {
  readonly fingerprint: string
  /** The thread that makes the request. */
  readonly owner: number
  /** Undefined while the request is under way. */
  answer: KeptAnswer | null | undefined
  /** Wall clock, milliseconds. */
  until: number
  bytes: number
}

export interface IdempotencyMemoryOptions {
  /** Wall clock, milliseconds. */
  readonly now: () => number
  readonly bytesMax: number
  readonly entriesMax: number
}

/** Bytes of an entry without its answer. */
const ENTRY_BYTES = 300

/** Answers of one client, the oldest first. */
interface Share {
  readonly answered: Map<string, Entry>
  bytes: number
}

/**
 * The one memory of keys. At its bounds the oldest answers of the client with the most of them are forgotten before their
 * time; requests under way never are: without room for another, claims are `unavailable`.
 */
export class IdempotencyMemory {
  readonly #options: IdempotencyMemoryOptions
  readonly #entries = new Map<string, Entry>()
  readonly #shares = new Map<string, Share>()
  #bytes = 0

  constructor(options: IdempotencyMemoryOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#entries.size
  }

  claim(key: string, fingerprint: string, owner: number): Claim {
    const now = this.#options.now()
    const known = this.#entries.get(key)
    if (known !== undefined && (known.answer === undefined || now < known.until)) {
      if (known.fingerprint !== fingerprint) return { state: 'conflict' }
      if (known.answer === undefined) return { state: 'busy' }
      return known.answer === null ? { state: 'forgotten' } : { state: 'answered', answer: known.answer }
    }
    if (known !== undefined) this.#drop(key, known)
    if (!this.#makeRoom(ENTRY_BYTES)) return { state: 'unavailable' }
    this.#entries.set(key, { fingerprint, owner, answer: undefined, until: Infinity, bytes: ENTRY_BYTES })
    this.#bytes += ENTRY_BYTES
    return { state: 'claimed' }
  }

  settle(key: string, answer: KeptAnswer | null, owner: number): void {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.answer !== undefined || entry.owner !== owner) return
    this.#drop(key, entry)
    const bytes = ENTRY_BYTES + (answer === null ? 0 : sizeOf(answer))
    const fits = this.#makeRoom(bytes)
    entry.answer = fits ? answer : null
    entry.bytes = fits ? bytes : ENTRY_BYTES
    entry.until = this.#options.now() + KEPT_FOR_MS
    this.#entries.set(key, entry)
    this.#bytes += entry.bytes
    const client = clientOf(key)
    const share = this.#shares.get(client) ?? { answered: new Map(), bytes: 0 }
    share.answered.set(key, entry)
    share.bytes += entry.bytes
    this.#shares.set(client, share)
  }

  release(key: string, owner: number): void {
    const entry = this.#entries.get(key)
    if (entry !== undefined && entry.answer === undefined && entry.owner === owner) this.#drop(key, entry)
  }

  /** Ends the claims of a thread that died: nobody knows how far its requests came. */
  releaseAll(owner: number): void {
    for (const [key, entry] of this.#entries)
      if (entry.owner === owner && entry.answer === undefined) this.#drop(key, entry)
  }

  #drop(key: string, entry: Entry): void {
    this.#entries.delete(key)
    this.#bytes -= entry.bytes
    const client = clientOf(key)
    const share = this.#shares.get(client)
    if (share?.answered.delete(key) !== true) return
    share.bytes -= entry.bytes
    if (share.answered.size === 0) this.#shares.delete(client)
  }

  #makeRoom(bytes: number): boolean {
    const { bytesMax, entriesMax } = this.#options
    while (this.#bytes + bytes > bytesMax || this.#entries.size >= entriesMax) {
      let largest: Share | undefined
      for (const share of this.#shares.values()) if (share.bytes > (largest?.bytes ?? 0)) largest = share
      if (largest === undefined) return false
      // A share has an answer
      const [key, entry] = largest.answered.entries().next().value!
      this.#drop(key, entry)
    }
    return true
  }
}

/** Keys of one thread alone. */
export function localKeys(memory: IdempotencyMemory, owner = 0): IdempotencyKeys {
  return {
    claim: async (key, fingerprint) => memory.claim(key, fingerprint, owner),
    settle: (key, answer) => memory.settle(key, answer, owner),
    release: (key) => memory.release(key, owner),
  }
}
