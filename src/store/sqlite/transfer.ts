/** Reads all tables of a file as they are at one moment, and fills a new file. */
import { closeSync, fsyncSync, openSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import { CannotStart } from '../../base/refusal.ts'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import { type Migration, newestOf } from '../migrations/migration.ts'
import { RECORD_MIGRATIONS } from '../migrations/records.ts'
import type { TransferFile, TransferSource, TransferTable, TransferValue } from '../ports/transfer.ts'
import { charsOf, PIECE_CHARS, PIECE_ROWS, quoted, selectRows } from '../sql/transfer.ts'
import { runDataStep } from './config.ts'
import { refuseDamage } from './copy.ts'
import { migrate, refuseNewer, schemaVersionOf } from './migrate.ts'

const BUSY_MS = 5000

/** A file that is read in one transaction, until it is closed. Nothing is written to it. */
export interface FileSource extends TransferSource {
  close(): void
}

const STEPS = { config: CONFIG_MIGRATIONS, records: RECORD_MIGRATIONS } as const satisfies Record<
  string,
  readonly Migration[]
>

/** Opens a store for a copy. Throws {@link CannotStart} for one that is damaged, or of another version of the schema. */
export function openFileSource(file: string, kind: keyof typeof STEPS = 'config'): FileSource {
  const steps = STEPS[kind]
  refuseNewer(file, steps)
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_MS })
    database.exec('begin')
    refuseDamage(database)
    const { version } = schemaVersionOf(database)
    const newest = newestOf(steps)
    if (version !== newest)
      throw new CannotStart(
        `${file} has schema version ${version}, and the database gets version ${newest}. Start this version of Postern on the data directory once, stop it, and try again.`,
      )
    const opened = database
    return { schemaVersion: version, ...readerOf(opened), close: () => opened.close() }
  } catch (error) {
    database?.close()
    if (error instanceof CannotStart) throw error
    throw new CannotStart(`${file} cannot be read: ${(error as Error).message}.`, error)
  }
}

/**
 * Makes a file with the tables of a schema version, without rows. The triggers that guard the audit trail come with the end, because
 * they refuse anchors whose entries were removed.
 */
export function makeFile(file: string, schemaVersion: number): TransferFile {
  closeSync(openSync(file, 'wx', 0o600))
  const database = new DatabaseSync(file)
  try {
    // No other process reads the file, and a copy that is not complete is deleted
    database.exec('pragma journal_mode = off; pragma synchronous = off; pragma foreign_keys = on')
    const steps = CONFIG_MIGRATIONS.filter(({ version }) => version <= schemaVersion)
    migrate(database, file, steps, runDataStep)
    const guards = database.prepare("select name, sql from sqlite_schema where type = 'trigger'").all()
    for (const { name } of guards) database.exec(`drop trigger ${quoted(String(name))}`)
    database.exec('begin')
    let open: { readonly table: string; readonly statement: StatementSync } | undefined
    return {
      ...readerOf(database),
      refuses: null,
      async put({ name }, columns, rows) {
        if (open?.table !== name)
          open = {
            table: name,
            statement: database.prepare(
              `insert into ${name} (${columns.map(quoted).join(', ')}) values (${columns.map(() => '?').join(', ')})`,
            ),
          }
        for (const row of rows) open.statement.run(...(row as readonly SQLInputValue[]))
        await setImmediate()
      },
      finish() {
        for (const { sql } of guards) database.exec(String(sql))
        database.exec('commit')
        database.exec('pragma journal_mode = delete')
        refuseDamage(database)
        const descriptor = openSync(file, 'r+')
        try {
          fsyncSync(descriptor)
        } finally {
          closeSync(descriptor)
        }
      },
      close: () => database.close(),
    }
  } catch (error) {
    database.close()
    throw error
  }
}

function readerOf(database: DatabaseSync): Omit<TransferSource, 'schemaVersion'> {
  return {
    columns: async ({ name }) =>
      database
        .prepare(`select name from pragma_table_info('${name}') order by name`)
        .all()
        .map((row) => String(row['name'])),
    count: async ({ name }) => Number(database.prepare(`select count(*) as n from ${name}`).get()?.['n']),
    async *rows(table: TransferTable, columns, order) {
      const statement = database.prepare(selectRows(table, columns, order))
      statement.setReturnArrays(true)
      let piece: (readonly TransferValue[])[] = []
      let chars = 0
      for (const found of statement.iterate()) {
        // As arrays, by the line above
        const row = found as unknown as readonly SQLOutputValue[] as readonly TransferValue[]
        piece.push(row)
        chars += charsOf(row)
        if (piece.length < PIECE_ROWS && chars < PIECE_CHARS) continue
        yield piece
        await setImmediate()
        piece = []
        chars = 0
      }
      if (piece.length > 0) yield piece
    },
  }
}
