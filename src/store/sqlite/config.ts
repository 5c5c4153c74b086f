import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import { CannotStart } from '../../base/cannot-start.ts'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import type { TrailSeal } from '../ports/audit-chain.ts'
import type { ConfigReader, ConfigStore, ConfigWriter, WriteSettings } from '../ports/config.ts'
import { createReader } from './config-read.ts'
import { createWriter } from './config-write.ts'
import { createDialect } from './dialect.ts'
import { migrate } from './migrate.ts'
import type { ConfigTables } from './tables.ts'
import { TrailEnd } from './trail-end.ts'
import { createTurns } from './turns.ts'

/** Thrown to make Kysely roll back what was asked to be rolled back. */
class Undo<T> extends Error {
  readonly result: T
  constructor(result: T) {
    super('rolled back on purpose')
    this.result = result
  }
}

interface Committed<T> {
  readonly result: T
  /** Resolves when the mark of the audit trail is on disk. */
  readonly marked: Promise<void> | undefined
}

/**
 * Configuration and audit in one SQLite file. One connection writes, behind a FIFO lock from BEGIN to COMMIT;
 * another reads. Every COMMIT is on disk before it answers. Throws CannotStart for a file of a newer version.
 * @param environment stands in the audit entries that are written
 */
export function openConfigStore(file: string, environment: string | null = null): ConfigStore {
  const writing = openWriting(file)
  const reading = new DatabaseSync(file, { timeout: 5000, readOnly: true })
  const writer = new Kysely<ConfigTables>({ dialect: createDialect(writing) })
  const reader = new Kysely<ConfigTables>({ dialect: createDialect(reading) })
  const turns = createTurns()
  let seal: TrailSeal | null = null

  async function transaction<T>(
    work: (writer: ConfigWriter) => Promise<T>,
    settings: WriteSettings<T>,
  ): Promise<Committed<T>> {
    const trail = seal && new TrailEnd(seal)
    try {
      const result = await writer.transaction().execute(async (db) => {
        const result = await work(createWriter(db, environment, trail))
        if (settings.rollback === true) throw new Undo(result)
        return result
      })
      // First: what is published is on disk before the mark says so
      settings.committed?.(result)
      return { result, marked: trail?.committed() }
    } catch (error) {
      // Only the line above makes one, from the result of this very work.
      if (error instanceof Undo) return { result: error.result as T, marked: undefined }
      throw error
    }
  }

  return {
    read: createReader(reader),
    sealTrail(its) {
      seal = its
    },
    async write(work, settings = {}) {
      const { result, marked } = await turns.run(() => transaction(work, settings))
      // After its turn: meanwhile the next transaction runs, and both marks may be one write
      await marked
      return result
    },
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

/** Opens the file for writing, for its owner alone, at the newest version of its schema. */
function openWriting(file: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    // SQLite would make it readable for everybody; its side files take over the mode of this one.
    closeSync(openSync(file, 'a', 0o600))
    database = new DatabaseSync(file, { timeout: 5000 })
    database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on')
    migrate(database, file, CONFIG_MIGRATIONS)
    return database
  } catch (error) {
    database?.close()
    if (error instanceof CannotStart) throw error
    throw new CannotStart(`${file} cannot be opened: ${(error as Error).message}.`, error)
  }
}
