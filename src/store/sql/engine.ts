import type { Kysely } from 'kysely'
import type { StoreUnavailable } from '../ports/unavailable.ts'
import type { Dialect } from './dialect.ts'
import type { ConfigTables } from './tables.ts'

/**
 * Writes that wait for each other: those of the configuration and its trail, or those of OAuth. An engine with one connection that
 * writes needs no second lane.
 */
type WriteLane = 'configuration' | 'oauth'

/**
 * What {@link createConfigStore} needs of a database: connections, the policy of transactions, and its faults. The store calls
 * `transaction`, `still`, `probe` and `close` one at a time, in order of arrival, so that an engine with one process needs no lock of its own.
 */
export interface Engine {
  readonly dialect: Dialect
  /** For reads beside transactions. They wait for no transaction and see no unfinished one. */
  readonly reading: Kysely<ConfigTables>
  /**
   * Runs work in a transaction, alone among all that write to this store in the same lane. Commits when the work resolves: then
   * everything is on disk, and later reads see it. Undoes everything when the work rejects, and rejects with the same error. Rejects
   * with StoreUnavailable where the store cannot be used.
   */
  transaction<T>(lane: WriteLane, work: (db: Kysely<ConfigTables>) => Promise<T>): Promise<T>
  /** Enters the lane `oauth` too, in a transaction of the configuration that runs, until it ends. @param db of that transaction */
  joinOAuth(db: Kysely<ConfigTables>): Promise<void>
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
