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
