import { type KeptAnswer, sizeOf } from '../kept-answer.ts'

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
  /** The first request was under way when its thread or its process ended: nobody knows how far it came. */
  | { readonly state: 'cut_off' }
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

/** The keys as the main thread keeps them for its gateway threads. */
export interface KeysOfThreads {
  /** As {@link IdempotencyKeys.claim}; a promise, which never rejects, where processes share the keys. @param owner the thread */
  claim(key: string, fingerprint: string, owner: number): Claim | Promise<Claim>
  /** As that of {@link IdempotencyKeys}. Nothing where the key is not claimed by this thread. */
  settle(key: string, answer: KeptAnswer | null, owner: number): void
  /** Likewise. */
  release(key: string, owner: number): void
  /** Ends the claims of a thread that died: nobody knows how far its requests came. */
  cutOff(owner: number): void
}

/** A key within its scope, and whose room in the memory it takes. */
export function scopedKey(client: string, scoped: string): string {
  return `${client} ${scoped}`
}

/** In whose room a key of {@link scopedKey} is. */
export function clientOf(key: string): string {
  return key.slice(0, key.indexOf(' '))
}

/** Bytes of one answer's body; longer ones are not kept. */
export const ANSWER_BYTES_MAX = 256 * 1024
const KEPT_FOR_MS = 24 * 3_600_000

/** Bounds of the one memory of keys. */
export const KEYS_BOUNDS = { bytesMax: 64 * 1024 * 1024, entriesMax: 200_000 } as const

/** What is known of a key, for as long as it is. */
export interface KeptKey {
  readonly key: string
  readonly fingerprint: string
  /** Undefined while the request is under way, and for good when it was cut off; null for one that is not kept. */
  readonly answer: KeptAnswer | null | undefined
  /** Wall clock, milliseconds. */
  readonly until: number
}

/** Keeps what the memory knows beyond the end of the process. What it cannot keep is its own concern: it does not throw. */
export interface KeyKeeper {
  /** Forgets `gone`, then keeps `put`: on disk when it returns. */
  keep(gone: readonly string[], put: KeptKey | null): void
}

interface Entry {
  readonly fingerprint: string
  /** The thread that makes the request; {@link NOBODY} when it has ended. */
  owner: number
  answer: KeptKey['answer']
  /** Wall clock, milliseconds; of no account while the request is under way. */
  until: number
  bytes: number
}

const NOBODY = -1

export interface IdempotencyMemoryOptions {
  /** Wall clock, milliseconds. */
  readonly now: () => number
  readonly bytesMax: number
  readonly entriesMax: number
  /** Absent where keys end with the process. */
  readonly keeper?: KeyKeeper
}

/** Bytes of an entry without its answer. */
export const ENTRY_BYTES = 300

/** Keys of one client whose requests have ended, the oldest first. */
interface Share {
  readonly ended: Map<string, Entry>
  bytes: number
}

/**
 * The one memory of keys. At its bounds the oldest answers of the client with the most of them are forgotten before their
 * time; requests under way never are: without room for another, claims are `unavailable`. What it says holds after a restart
 * too, where it has a keeper: a claim is kept before its request is made.
 */
export class IdempotencyMemory implements KeysOfThreads {
  readonly #options: IdempotencyMemoryOptions
  readonly #entries = new Map<string, Entry>()
  readonly #shares = new Map<string, Share>()
  /** Forgotten, and not yet told to the keeper. */
  #gone: string[] = []
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
    if (known !== undefined && (isUnderWay(known) || now < known.until)) {
      if (known.fingerprint !== fingerprint) return { state: 'conflict' }
      if (isUnderWay(known)) return { state: 'busy' }
      if (known.answer === undefined) return { state: 'cut_off' }
      return known.answer === null ? { state: 'forgotten' } : { state: 'answered', answer: known.answer }
    }
    if (known !== undefined) this.#forget(key, known)
    if (!this.#makeRoom(ENTRY_BYTES)) {
      this.#keep(null)
      return { state: 'unavailable' }
    }
    const entry = { fingerprint, owner, answer: undefined, until: now + KEPT_FOR_MS, bytes: ENTRY_BYTES }
    this.#entries.set(key, entry)
    this.#bytes += ENTRY_BYTES
    this.#keep({ key, ...entry })
    return { state: 'claimed' }
  }

  settle(key: string, answer: KeptAnswer | null, owner: number): void {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.answer !== undefined || entry.owner !== owner) return
    this.#drop(key, entry)
    const bytes = bytesOf(answer)
    const fits = this.#makeRoom(bytes)
    entry.answer = fits ? answer : null
    entry.bytes = fits ? bytes : ENTRY_BYTES
    entry.until = this.#options.now() + KEPT_FOR_MS
    this.#entries.set(key, entry)
    this.#bytes += entry.bytes
    this.#share(key, entry)
    this.#keep({ key, ...entry })
  }

  release(key: string, owner: number): void {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.answer !== undefined || entry.owner !== owner) return
    this.#forget(key, entry)
    this.#keep(null)
  }

  cutOff(owner: number): void {
    for (const [key, entry] of this.#entries) {
      if (entry.owner !== owner || entry.answer !== undefined) continue
      entry.owner = NOBODY
      this.#share(key, entry)
    }
  }

  /** Takes in what was kept by a process before, those that end first coming first. */
  restore(kept: readonly KeptKey[]): void {
    const now = this.#options.now()
    for (const { key, fingerprint, answer, until } of kept) {
      const bytes = bytesOf(answer)
      if (until <= now || !this.#makeRoom(bytes)) {
        this.#gone.push(key)
        continue
      }
      // A clock that was set back makes nothing last longer than a day
      const entry = { fingerprint, owner: NOBODY, answer, until: Math.min(until, now + KEPT_FOR_MS), bytes }
      this.#entries.set(key, entry)
      this.#bytes += bytes
      this.#share(key, entry)
    }
    this.#keep(null)
  }

  /** Forgets what has had its time, up to `entriesMax` of it. */
  expire(entriesMax: number): void {
    const now = this.#options.now()
    for (const { ended } of this.#shares.values())
      for (const [key, entry] of ended) {
        if (now < entry.until || this.#gone.length === entriesMax) break
        this.#forget(key, entry)
      }
    this.#keep(null)
  }

  /** All that is known. */
  *all(): Iterable<KeptKey> {
    for (const [key, { fingerprint, answer, until }] of this.#entries)
      yield { key, fingerprint, answer, until }
  }

  #keep(put: KeptKey | null): void {
    const gone = this.#gone
    if (gone.length > 0) this.#gone = []
    else if (put === null) return
    this.#options.keeper?.keep(gone, put)
  }

  #forget(key: string, entry: Entry): void {
    this.#drop(key, entry)
    this.#gone.push(key)
  }

  #drop(key: string, entry: Entry): void {
    this.#entries.delete(key)
    this.#bytes -= entry.bytes
    const client = clientOf(key)
    const share = this.#shares.get(client)
    if (share?.ended.delete(key) !== true) return
    share.bytes -= entry.bytes
    if (share.ended.size === 0) this.#shares.delete(client)
  }

  #share(key: string, entry: Entry): void {
    const client = clientOf(key)
    const share = this.#shares.get(client) ?? { ended: new Map(), bytes: 0 }
    share.ended.set(key, entry)
    share.bytes += entry.bytes
    this.#shares.set(client, share)
  }

  #makeRoom(bytes: number): boolean {
    const { bytesMax, entriesMax } = this.#options
    while (this.#bytes + bytes > bytesMax || this.#entries.size >= entriesMax) {
      let largest: Share | undefined
      for (const share of this.#shares.values()) if (share.bytes > (largest?.bytes ?? 0)) largest = share
      if (largest === undefined) return false
      // A share has an entry
      const [key, entry] = largest.ended.entries().next().value!
      this.#forget(key, entry)
    }
    return true
  }
}

function isUnderWay({ answer, owner }: Entry): boolean {
  return answer === undefined && owner !== NOBODY
}

/** The room of a key with its answer, bytes. */
export function bytesOf(answer: KeptKey['answer']): number {
  return ENTRY_BYTES + (answer == null ? 0 : sizeOf(answer))
}

/** Keys of one thread alone. */
export function localKeys(memory: IdempotencyMemory, owner = 0): IdempotencyKeys {
  return {
    claim: async (key, fingerprint) => memory.claim(key, fingerprint, owner),
    settle: (key, answer) => memory.settle(key, answer, owner),
    release: (key) => memory.release(key, owner),
  }
}
