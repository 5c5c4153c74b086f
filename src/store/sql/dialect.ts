/**
 * What engines write differently in the queries of this folder. All other SQL here is read alike by every engine. An engine
 * keeps these promises:
 *
 * 1. Texts compare and sort by their bytes, as `binary` of SQLite and `collate "C"` of PostgreSQL do. Cursors rely on it.
 * 2. Columns of whole numbers come back as JavaScript numbers. Counts and sums may come back as texts or bigints.
 * 3. A statement may bind {@link ROWS_MAX} rows of eight values, or {@link IDS_MAX} single ones.
 */
import type { Expression, SqlBool } from 'kysely'

/**
 * Rows of one statement, written or, where there may be very many, read. SQLite binds at most 32,766 values, PostgreSQL 65,535; and
 * SQLite holds the thread until it has done all of them.
 */
export const ROWS_MAX = 1000
/** Values of one list; see {@link ROWS_MAX}. */
export const IDS_MAX = 1000

/** The expressions in which engines differ. */
export interface Dialect {
  /** The value of a column, written so that the engine uses no index for it. */
  unindexed(column: 'id' | 'parent_id'): Expression<string>
  /** Whether a text has a part; upper and lower case are alike, and no character of the part is special. */
  contains(text: Expression<string | null>, part: string): Expression<SqlBool>
}
