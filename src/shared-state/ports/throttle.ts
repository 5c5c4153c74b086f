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
