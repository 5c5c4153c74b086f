import type { Kysely } from 'kysely'
import type { StoreUnavailable } from '../ports/unavailable.ts'
import type { Dialect } from './dialect.ts'
import type { ConfigTables } from './tables.ts'

/**
 * What {@link createConfigStore} needs of a database: connections, the policy of transactions, and its faults. The store calls
 * `transaction`, `still`, `probe` and `close` one at a time, in order of arrival, so that an engine with one process needs no lock of its own.
 */
export interface Engine {
  readonly dialect: Dialect
  /** For reads beside transactions. They wait for no transaction and see no unfinished one. */
  readonly reading: Kysely<ConfigTables>
  /**
   * Runs work in a transaction, alone among all that write to this store. Commits when the work resolves: then everything is on
   * disk, and later reads see it. Undoes everything when the work rejects, and rejects with the same error. Rejects with
   * StoreUnavailable where the store cannot be used.
   */
  transaction<T>(work: (db: Kysely<ConfigTables>) => Promise<T>): Promise<T>
  /** Runs reads that see one state, with no transaction finishing in between. */
  still<T>(work: (db: Kysely<ConfigTables>) => Promise<T>): Promise<T>
  /** Told when the store turned out not to be as this process left it. */
  failed(error: StoreUnavailable): void
  /** As of {@link Probed}. */
  readonly fault: StoreUnavailable | null
  /** Finds out whether the store can be used, and sets `fault`. Never rejects. @param check rejects where the content is not as it should be */
  probe(check: () => Promise<void>): Promise<void>
  close(): Promise<void>
}
