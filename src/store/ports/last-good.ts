/**
 * The configuration that was served last, kept apart from the store that it was compiled from: with the store gone or
 * damaged, a gateway still starts on it. Derived data: it can be lost without losing anything.
 */
export interface LastGoodStore {
  /** The revision of what was kept last; null when nothing was, or when it cannot be read. */
  revision(): number | null
  /** What was kept last, read row by row in the order of the keys. Throws where it cannot be read. */
  entries(): Iterable<LastGoodEntry>
  /**
   * Keeps a change, in time slices. To be called again only when it has ended. On disk when it resolves. Rejects when it cannot be
   * written, or was forgotten meanwhile; then what is kept is not the last.
   */
  keep(change: LastGoodChange): Promise<void>
  /** A key set that was kept; null when there is none, or it cannot be read. */
  loadKeySet(source: string): KeptText | null
  /** Keeps the key set of a source, and forgets those that were fetched before `since`. On disk when it returns; throws as `keep`; nothing after `close`. */
  keepKeySet(source: string, set: KeptText & { readonly at: number }, since: number): void
  /** Throws StoreUnavailable where the file that is in use was deleted, replaced or truncated. */
  look(): void
  /** Forgets all key sets, so that no withdrawn key is used again. */
  forgetKeySets(): void
  /** Forgets everything, so that nothing outdated is ever served. */
  forget(): void
  /** A change that is being kept is on disk then. */
  close(): void
}

interface KeptText {
  /** Of the content; tells a damaged entry. */
  readonly hash: string
  readonly text: string
}

export interface LastGoodEntry extends KeptText {
  readonly key: string
}

export interface LastGoodChange {
  readonly revision: number
  /** What is not among `put` is dropped. */
  readonly full: boolean
  /** Read row by row. */
  readonly put: Iterable<LastGoodEntry>
  readonly drop: readonly string[]
}
