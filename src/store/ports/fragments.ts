/**
 * Compiled fragments, stored in the transaction of the change that made them, so that every process that shares the store
 * reads what one of them has compiled. Derived data: they can be compiled again from the configuration. A process compares
 * them at its start, and from then on they are what the configuration compiles to.
 * Secrets stand in them as the vault has sealed them at rest, or as references to where they are read; never in the clear.
 */
export interface FragmentReader {
  /**
   * Fragments in the order of their keys, page by page: those that follow a key, at most `limit`. Null unless all that are stored are
   * of this compiler. Pages are of one state inside of `still` and of a transaction alone.
   * @param compiler names what compiled them; another one may make other fragments of the same configuration
   * @param after empty for the first page
   */
  fragments(compiler: string, after: string, limit: number): Promise<readonly StoredFragment[] | null>
  /** The keys and hashes of them alone, in any order. Null as for `fragments`, and where one is of another form. */
  fragmentHashes(
    compiler: string,
    form: number,
  ): Promise<readonly Pick<StoredFragment, 'key' | 'hash'>[] | null>
  /**
   * What has changed since a revision, older changes first; of several changes of one key the last one. Null when drops since
   * then are no longer known: the reader must take everything anew.
   */
  fragmentsSince(revision: number): Promise<FragmentChanges | null>
}

export interface FragmentWriter {
  /**
   * Stores what a revision changes; a fragment with the same hash keeps its revision. What was dropped leaves a tombstone; beyond {@link TOMBSTONES_MAX} the oldest go,
   * those of this revision excepted.
   */
  putFragments(revision: number, changes: Pick<FragmentChanges, 'put' | 'drop'>): Promise<void>
  /**
   * Stores fragments in the place of all. Tombstones go.
   * @param fill hands over the fragments, some at a time; a key may come again. Resolves with the name of the compiler, or null where
   * some could not be compiled: then the next start compiles again
   */
  replaceFragments(
    revision: number,
    fill: (put: (some: readonly StoredFragment[]) => Promise<void>) => Promise<string | null>,
  ): Promise<void>
  /** After a change of the configuration without its fragments: the next start compiles them again. */
  doubtFragments(): Promise<void>
}

/** Tombstones that are kept, besides those of the last change. */
export const TOMBSTONES_MAX = 1000

export interface StoredFragment {
  readonly key: string
  /** SHA-256 of `json`, base64url. */
  readonly hash: string
  /** The form of fragments that its writer knew. */
  readonly form: number
  readonly json: string
}

export interface FragmentChanges {
  /** Of the configuration that holds with them. */
  readonly revision: number
  readonly put: readonly StoredFragment[]
  readonly drop: readonly string[]
}
