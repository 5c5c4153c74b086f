/** Moves configuration, audit and quotas from one engine to another: rows are copied table by table, and compared before they count. */
import type { ConfigStore } from './config.ts'

/** What a column may hold. */
export type TransferValue = string | number | Uint8Array | null

/** A table as a copy needs it. */
export interface TransferTable {
  readonly name: string
  /** Its name in a database that has other tables too; the same when absent. */
  readonly there?: string
  /** It has rows as soon as it is made. They are replaced. */
  readonly isSeeded?: boolean
  /** Columns of the primary key: rows are compared in their order. */
  readonly key: readonly string[]
  /** The column that names a row of the same table. That row is copied before. */
  readonly above?: string
  /** Rows that are not copied, because they are of the engine: the values of the first column of the key. */
  readonly without?: readonly string[]
}

/** The order of rows: `key`, or `copy`, in which a row that others name comes before them. */
export type TransferOrder = 'key' | 'copy'

/** Tables that can be read, as they are at one moment. */
export interface TransferSource {
  /** Version of the schema. */
  readonly schemaVersion: number
  /** Names of the columns, sorted. */
  columns(table: TransferTable): Promise<readonly string[]>
  count(table: TransferTable): Promise<number>
  /** The rows in pieces, with the values of `columns` in their order. */
  rows(
    table: TransferTable,
    columns: readonly string[],
    order: TransferOrder,
  ): AsyncIterable<readonly (readonly TransferValue[])[]>
}

/** Tables that are filled with rows. Rows that were added can be read back. */
export interface TransferSink extends Omit<TransferSource, 'schemaVersion'> {
  /** Texts with this character are refused by the engine; null where it takes any. */
  readonly refuses: string | null
  /** Adds rows. None of them is there yet. */
  put(
    table: TransferTable,
    columns: readonly string[],
    rows: readonly (readonly TransferValue[])[],
  ): Promise<void>
}

/** A new file that is filled. */
export interface TransferFile extends TransferSink {
  /** Ends it: guards its audit trail, and has it written to disk. */
  finish(): void
  close(): void
}

/** A table that was copied, and is the same on both sides. */
export interface TransferredTable {
  readonly table: string
  readonly rows: number
  /** Of the rows in the order of their keys. */
  readonly sha256: string
}

/** Told of the part of a step that is done, 0 to 1. */
export type TransferProgress = (step: 'copy' | 'compare', part: number) => void

/** The move of the stores that are in files of a data directory to a database. */
export interface ConfigMove {
  /** The database as messages name it: its URL without the password. */
  readonly to: string
  /**
   * Copies everything in one transaction, into a database without rows; makes the tables where they are missing. Compares each table on
   * both sides, then calls `check` with a store that reads what was written, then commits. Throws CannotStart with a sentence where
   * something is in the way; whatever is thrown, the database is as it was, unless the commit itself was cut off.
   */
  run(options: {
    /** Rolls back after `check`. */
    readonly isDryRun: boolean
    readonly progress: TransferProgress
    readonly check: (store: ConfigStore) => Promise<void>
  }): Promise<readonly TransferredTable[]>
  /** A value of the database's table `meta`, after a move that was cut off has ended; undefined without it or the table. */
  meta(name: string): Promise<string | undefined>
}

/** What `postern migrate-schema` has done. */
export interface SchemaUpgrade {
  /** The database, without the password. */
  readonly database: string
  readonly schema: string
  /** Before and after; 0 for none. */
  readonly from: number
  readonly to: number
  /** The role that may use the tables now; null where none was named. */
  readonly granted_to: string | null
}
