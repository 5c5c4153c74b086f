import type { DatabaseSync } from 'node:sqlite'
import { sql } from 'kysely'
import type { Dialect } from '../sql/dialect.ts'

/** The dialect of SQLite. */
export const SQLITE: Dialect = {
  // The sign makes it an expression, of which no index knows
  unindexed: (column) => sql<string>`+${sql.ref(column)}`,
  // Not LIKE: what people search for may hold % and _
  contains(text, part) {
    const lower = part.toLowerCase()
    // SQLite itself knows the cases of ASCII alone, and is faster
    return ASCII.test(lower)
      ? sql<boolean>`instr(lower(${text}), ${lower}) > 0`
      : sql<boolean>`instr(in_lower_case(${text}), ${lower}) > 0`
  },
}

const ASCII = /^[ -~]*$/

/** Gives a connection the functions that the expressions of {@link SQLITE} call. */
export function addFunctions(database: DatabaseSync): DatabaseSync {
  database.function('in_lower_case', { deterministic: true }, (text) =>
    typeof text === 'string' ? text.toLowerCase() : null,
  )
  return database
}
