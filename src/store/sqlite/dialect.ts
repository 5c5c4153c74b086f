import { sql } from 'kysely'
import type { Dialect } from '../sql/dialect.ts'

/** The dialect of SQLite. */
export const SQLITE: Dialect = {
  // The sign makes it an expression, of which no index knows
  unindexed: (column) => sql<string>`+${sql.ref(column)}`,
  // Not LIKE: what people search for may hold % and _
  contains: (text, part) => sql<boolean>`instr(lower(${text}), ${part.toLowerCase()}) > 0`,
}
