/** What a claim came to. Only `first` lets its caller go on. */
export type Claimed =
  /** No thread or process has claimed the key before. */
  | 'first'
  | 'again'
  /** The claim cannot be remembered: no place is free, or the shared memory cannot be reached. */
  | 'unavailable'

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
