import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { Migration } from '../migrations/migration.ts'

/** Makes the queries of data steps; it has no connection. */
const BUILDER = new Kysely<object>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
})

/** Runs the data step of a migration, inside of the transaction that is open. */
export function runDataStep(database: DatabaseSync, run: NonNullable<Migration['run']>): void {
  const steps = run(BUILDER)
  for (let next = steps.next(); next.done !== true; ) next = steps.next(rowsOf(database, next.value))
}

function rowsOf(database: DatabaseSync, { sql, parameters }: CompiledQuery): readonly unknown[] {
  const statement = database.prepare(sql)
  const values = parameters as readonly SQLInputValue[]
  if (statement.columns().length > 0) return statement.all(...values)
  statement.run(...values)
  return []
}
