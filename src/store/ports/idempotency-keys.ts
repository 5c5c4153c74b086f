/**
 * Idempotency keys of the data plane, so that a repeated request is known after a restart. In a file of its own: it may
 * be lost without losing configuration, and holds answers, sealed, for a day at most.
 */
export interface KeyStore {
  /** Those that end first come first. Throws StoreUnavailable when they cannot be read, CannotStart for those of a newer version. */
  load(): readonly KeyRow[]
  /** As `load`, of a file that cannot be written. Nothing when it cannot be read either. */
  loadUnwritable(): readonly KeyRow[]
  /** Deletes keys, then adds or overwrites rows, in one transaction. A process that is killed then loses none of it. */
  save(gone: readonly string[], rows: readonly KeyRow[]): void
  /** Puts rows in the place of all there are, and a new file in the place of a damaged one. */
  replace(rows: () => Iterable<KeyRow>): void
  /** Throws StoreUnavailable where the file that is in use was deleted, replaced or truncated. */
  look(): void
  close(): void
}

export interface KeyRow {
  readonly key: string
  /** Of the request; tells another one under the same key. */
  readonly fingerprint: string
  /** Wall clock, milliseconds. */
  readonly until: number
  /** `open` while the request has not ended, `unkept` when its answer was not kept. */
  readonly state: 'open' | 'unkept' | 'answered'
  /** The answer; null unless `answered`. */
  readonly sealed: Uint8Array | null
}
