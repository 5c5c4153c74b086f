/**
 * The configuration that was served last, kept apart from the store that it was compiled from: with the store gone or
 * damaged, a gateway still starts on it. Derived data: it can be lost without losing anything.
 */
export interface LastGoodStore {
  /** What was kept last; null when nothing was, or when it cannot be read. */
  load(): LastGood | null
  /** Keeps a change. On disk when it returns. Throws when it cannot be written; then what is kept is not the last. */
  keep(change: LastGoodChange): void
  /** Forgets everything, so that nothing outdated is ever served. */
  forget(): void
  close(): void
}

export interface LastGood {
  readonly revision: number
  readonly entries: readonly LastGoodEntry[]
}

interface LastGoodEntry {
  readonly key: string
  /** Of the content; tells a damaged entry. */
  readonly hash: string
  readonly text: string
}

export interface LastGoodChange {
  readonly revision: number
  /** What is not among `put` is dropped. */
  readonly full: boolean
  readonly put: readonly LastGoodEntry[]
  readonly drop: readonly string[]
}
