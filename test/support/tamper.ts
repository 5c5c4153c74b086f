/**
 * A configuration store in the hands of somebody who writes to it with another program. Tests change rows through this port alone, so
 * that they hold for each engine: statements are plain SQL with `?` for values.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { databaseAddressOf } from './test-database.ts'

export type Row = Readonly<Record<string, unknown>>

export interface Tamper extends AsyncDisposable {
  /** Runs statements; with values it is one. Rejects as the engine does, for instance where a trigger guards a table. */
  execute(statements: string, ...values: SQLInputValue[]): Promise<void>
  rows(query: string, ...values: SQLInputValue[]): Promise<readonly Row[]>
  /** Takes off what keeps audit tables from being changed. */
  unguardAudit(): Promise<void>
}

/** The store of a data directory. */
export async function openTamper(directory: string): Promise<Tamper> {
  const file = join(directory, 'config.db')
  const database = await databaseAddressOf(file)
  return database === null
    ? tamperWithFile(file)
    : (await import('./postgres-databases.ts')).tamperWithDatabase(database)
}

/** A store in a SQLite file. */
export function tamperWithFile(file: string): Tamper {
  const database = new DatabaseSync(file, { timeout: 5000 })
  return {
    async execute(statements, ...values) {
      if (values.length === 0) database.exec(statements)
      else database.prepare(statements).run(...values)
    },
    async rows(query, ...values) {
      return database.prepare(query).all(...values)
    },
    async unguardAudit() {
      const triggers = database
        .prepare("select name from sqlite_schema where type = 'trigger' and name like 'audit%'")
        .all()
      for (const { name } of triggers) database.exec(`drop trigger ${String(name)}`)
    },
    async [Symbol.asyncDispose]() {
      database.close()
    },
  }
}

/** What stands in a store: the bytes of its file and log, or the rows of the tables of a database that hold secrets and entries. */
export async function storedBytes(directory: string): Promise<Buffer[]> {
  const file = join(directory, 'config.db')
  if ((await databaseAddressOf(file)) === null) return [file, `${file}-wal`].map((path) => readFileSync(path))
  await using tamper = await openTamper(directory)
  const all: Buffer[] = []
  for (const table of ['oauth_artifacts', 'oauth_keys', 'access_tokens', 'audit', 'meta'])
    all.push(Buffer.from(JSON.stringify(await tamper.rows(`select * from ${table}`))))
  return all
}
