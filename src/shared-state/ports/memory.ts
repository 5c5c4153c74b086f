/** Who is counted. Keys of one kind share memory, so that invented keys push out no keys of another kind. */
export interface ThrottleKey {
  readonly kind: 'sign_in_name' | 'sign_in_source' | 'oauth_request'
  readonly key: string
}

/** So many attempts in each window; windows begin at multiples of their length since the epoch. */
interface FixedWindow {
  readonly max: number
  readonly windowMs: number
}

/** Failures make the next attempt wait: a second after the last free failure, and twice as long after each further one. */
export interface Backoff {
  /** Failures that cost nothing. */
  readonly free: number
  /** Longest wait after one, milliseconds. */
  readonly waitMsMax: number
  /** A failure is forgotten so long after the last one, milliseconds. */
  readonly forgottenMs: number
}

export interface BackoffKey extends ThrottleKey {
  readonly backoff: Backoff
  /** A success forgets all failures of the key, and not this attempt alone. */
  readonly isClearedBySuccess: boolean
}

/** An attempt that was counted as failed before it was made. At most one of the two is called. */
export interface Attempt {
  /** It did not fail. */
  succeeded(): void
  /** It was not made. */
  withdraw(): void
}

export type Attempted =
  | { readonly admitted: true; readonly attempt: Attempt }
  /** Nothing was counted. @see waitsMs milliseconds to wait, for each key in its order; 0 or less for a key without a wait. */
  | { readonly admitted: false; readonly waitsMs: readonly number[] }

/** Counts attempts by key, over all processes that share its memory. A promise of it never rejects. */
export interface Throttle {
  /** Counts an attempt in its window. Milliseconds until the next window when it is one too many, else 0. */
  count(key: ThrottleKey, window: FixedWindow): number | Promise<number>
  /** Counts an attempt as failed under all keys before it is made, or under none while one of them must wait. */
  attempt(keys: readonly BackoffKey[]): Attempted | Promise<Attempted>
}

/** Kinds of links. Those of one kind share bounds. Once released, a name must not change. */
export type LinkKind = 'secret' | 'sign_in' | 'connecting'

export interface LinkBounds {
  /** Links that are kept at once. */
  readonly max: number
  /** Of one owner. */
  readonly ownMax?: number
  /** At `max`, a new link pushes out the oldest one, and is not refused. */
  readonly dropsOldest?: boolean
}

/**
 * What a link leads to, kept until the link is used: the secret behind a one-time link, the state of a sign-in at an identity
 * provider. Values are plain data. A promise rejects when the memory cannot be reached.
 */
export interface Links<Value> {
  /**
   * Keeps a value under the hash of what the link carries. False when too many are kept, or too many of this owner.
   * @param lifeMs milliseconds for which it can be taken @param owner null where owners have no bound of their own
   */
  put(key: string, value: Value, lifeMs: number, owner: string | null): boolean | Promise<boolean>
  /** What {@link take} would give; takes nothing. */
  look(key: string): Value | null | Promise<Value | null>
  /** The value, once: of any number of calls at the same time, one gets it. Null for an unknown, used or expired link. */
  take(key: string): Value | null | Promise<Value | null>
}

/** What a claim came to. Only `first` lets its caller go on. */
export type Claimed =
  /** No thread or process has claimed the key before. */
  | 'first'
  | 'again'
  /** The claim cannot be remembered: no place is free, or the shared memory cannot be reached. */
  | 'unavailable'

/** Kinds of keys that are used once: tokens of callers, replies to questions. Once released, a name must not change. */
export type OnceKind = 'used_tokens' | 'used_replies'

/** Remembers that a key was used: a token, or the reply to a question. All threads and processes share the memory. */
export interface Once {
  /**
   * Claims a key. Of any number of claims at the same time, at most one is answered `first`. Gives a value where the memory is
   * in this process, else a promise, which never rejects.
   * @param until milliseconds since the epoch; from then on the key can be claimed again. @param now the same.
   * @param holder who shares the memory with others: one holder cannot take so much of it that nothing is left for the next. The same for
   * each claim of a key; absent for keys that no caller chooses, which may take every place.
   */
  claim(key: string, until: number, now: number, holder?: string): Claimed | Promise<Claimed>
}

/**
 * Sessions that were ended, known to all threads that answer. A forgotten tombstone lets an ended id be used again
 * by its own principal, which gains it nothing.
 */
export interface Tombstones {
  add(hashedId: string): void
  has(hashedId: string): boolean
}

/** Small values that all gateway threads keep together for a while; see `cache_node`. */
export interface KeptValues {
  /** Null for a value that is not there, or no longer. @param now milliseconds since the epoch. */
  get(key: string, now: number): KeptValue | null
  /** False for a value that is not kept: it is too long, or the memory cannot be had at once. */
  set(key: string, bytes: Uint8Array, times: KeptTimes): boolean
  delete(key: string): void
}

/** Milliseconds since the epoch. */
export interface KeptTimes {
  /** Now. */
  readonly keptAt: number
  readonly freshUntil: number
  /** Until then it is given as one that is not fresh; at least {@link freshUntil}. */
  readonly staleUntil: number
}

export interface KeptValue {
  /** A copy of the caller's own. */
  readonly bytes: Uint8Array
  readonly isFresh: boolean
}
