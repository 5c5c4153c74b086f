import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import type { ConfigReader, ConfigStore, ConfigWriter, WriteSettings } from '../ports/config.ts'
import { createReader } from './config-read.ts'
import { createWriter } from './config-write.ts'
import { createDialect } from './dialect.ts'
import { migrate } from './migrate.ts'
import type { ConfigTables } from './tables.ts'
import { createTurns } from './turns.ts'

/** Thrown to make Kysely roll back what was asked to be rolled back. */
class Undo<T> extends Error {
  readonly result: T
  constructor(result: T) {
    super('rolled back on purpose')
    this.result = result
  }
}

/**
 * Configuration and audit in one SQLite file. One connection writes, behind a FIFO lock from BEGIN to COMMIT;
 * another reads. Every COMMIT is on disk before it answers. Throws CannotStart for a file of a newer version.
 */
export function openConfigStore(file: string): ConfigStore {
  const writing = new DatabaseSync(file, { timeout: 5000 })
  try {
    writing.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on')
    migrate(writing, file, CONFIG_MIGRATIONS)
  } catch (error) {
    writing.close()
    throw error
  }
  const reading = new DatabaseSync(file, { timeout: 5000, readOnly: true })
  const writer = new Kysely<ConfigTables>({ dialect: createDialect(writing) })
  const reader = new Kysely<ConfigTables>({ dialect: createDialect(reading) })
  const turns = createTurns()

  async function transaction<T>(
    work: (writer: ConfigWriter) => Promise<T>,
    settings: WriteSettings<T>,
  ): Promise<T> {
    try {
      const result = await writer.transaction().execute(async (db) => {
        const result = await work(createWriter(db))
        if (settings.rollback === true) throw new Undo(result)
        return result
      })
      settings.committed?.(result)
      return result
    } catch (error) {
      // Only the line above makes one, from the result of this very work.
      if (error instanceof Undo) return error.result as T
      throw error
    }
  }

  return {
    read: createReader(reader),
    write: (work, settings = {}) => turns.run(() => transaction(work, settings)),
    still: <T>(work: (reader: ConfigReader) => Promise<T>, done?: (result: T) => void) =>
      turns.run(async () => {
        const result = await work(createReader(writer))
        done?.(result)
        return result
      }),
    close: () =>
      turns.run(async () => {
        await reader.destroy()
        await writer.destroy()
      }),
  }
}
