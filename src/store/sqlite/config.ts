/**
 * The configuration store on a SQLite file: connections, the watch over the file, and its faults. One connection writes, and one reads
 * beside it, so both write lanes are one; record queries use a third one in the query thread. Turns and queries are those of `store/sql`.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import { CannotStart } from '../../base/refusal.ts'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import type { ConfigStore } from '../ports/config.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'
import { createConfigStore } from '../sql/config.ts'
import type { Engine } from '../sql/engine.ts'
import type { ConfigTables } from '../sql/tables.ts'
import { BUSY_MS } from './busy.ts'
import { type Connected, copyLog, createKyselyDialect } from './connection.ts'
import { runDataStep } from './data-step.ts'
import { addFunctions, SQLITE } from './dialect.ts'
import { guarded, mendSideFiles, toLastingFault, toStoreError } from './fault.ts'
import { HeaderWatch } from './file-header.ts'
import { faultOfDatabase } from './judge-file.ts'
import { migrate, refuseNewer } from './migrate.ts'
import { probeFile } from './probe.ts'
import { rewrittenOf, setLogAside } from './side-files.ts'
import { WatchedFile } from './watched-file.ts'

/**
 * Configuration and audit in one SQLite file. Every COMMIT is on disk before it answers. Throws CannotStart for a file of a newer version.
 * A file that is deleted while it is open is written again by the next probe, from what the connection holds.
 * @param environment stands in the audit entries that are written
 */
export function openConfigStore(file: string, environment: string | null = null): ConfigStore {
  return createConfigStore(openEngine(file), environment)
}

function openEngine(file: string): Engine {
  const failed = (error: unknown): void => {
    fault = toLastingFault(error) ?? fault
  }
  const demand = (): void => {
    if (header.isOverwritten)
      throw new StoreUnavailable('overwritten', `${file}: its header is of another file`)
  }
  const writing: Connected = { file, database: openWriting(file), demand, failed }
  // Before there is a reader, which could keep the stamp from the file
  let header = new HeaderWatch(writing.database, file)
  const reading: Connected = { file, database: openReading(file), demand, failed }
  let watched = new WatchedFile(file)
  let fault: StoreUnavailable | null = null
  const writer = new Kysely<ConfigTables>({ dialect: createKyselyDialect(writing) })
  const reader = new Kysely<ConfigTables>({ dialect: createKyselyDialect(reading) })

  function demandFile(): void {
    try {
      watched.demand()
      header.look()
      demand()
    } catch (error) {
      failed(error)
      throw error
    }
  }

  /** Puts a copy of what is held in the place of the file that is gone. No transaction runs. */
  function writeAgain(): void {
    const copy = rewrittenOf(file)
    rmSync(copy, { force: true })
    closeSync(openSync(copy, 'wx', 0o600))
    writing.database.prepare('vacuum into ?').run(copy)
    syncFile(copy)
    reading.database.close()
    writing.database.close()
    header.close()
    // SQLite leaves the log of a file that is gone, and would apply it to the copy, which holds all of it
    watched.removeLog()
    renameSync(copy, file)
    writing.database = openWriting(file)
    header = new HeaderWatch(writing.database, file)
    reading.database = openReading(file)
    watched = new WatchedFile(file)
  }

  /** What another program has written to the file in place is seen here, and that nothing has. */
  function demandPages(): void {
    const found = header.look()
    demand()
    if (found === 'same') return
    const damage = faultOfDatabase(file)
    if (damage !== null) throw new StoreUnavailable('damaged', `${file}: ${damage}`)
    header.accept()
  }

  async function probe(check: () => Promise<void>): Promise<void> {
    if (watched.look() === 'missing' && fault?.fault === 'missing') writeAgain()
    watched.demand()
    demandPages()
    await probeFile(writing.database, file, watched, header.next(), fault)
    // From the log into the file, so that any other file is told from this one
    if (!header.isStamped) guarded(file, () => writing.database.exec('pragma wal_checkpoint(passive)'))
    await check()
    // What is damaged needs a person; that a page can be written proves nothing
    if (fault?.fault !== 'damaged') fault = null
  }

  return {
    dialect: SQLITE,
    reading: reader,
    async transaction(_lane, work) {
      demandFile()
      // A small change may still find room in the log; the next one does not. Probes find out when there is room again
      if (fault?.fault === 'disk_full') throw fault
      const result = await writer.transaction().execute(work)
      await copyLog(writing)
      return result
    },
    joinOAuth: async () => {},
    // It is alone with the connection that writes, so that no statement of another can come between
    still: (work) => work(writer),
    failed,
    get fault() {
      return fault
    },
    async probe(check) {
      try {
        await probe(check)
      } catch (error) {
        const known = toStoreError(error, file)
        fault =
          known instanceof StoreUnavailable
            ? known
            : new StoreUnavailable('cannot_open', `${file}: ${String(error)}`, error)
      }
    },
    async close() {
      await reader.destroy()
      await writer.destroy()
      // The reading one last leaves the log as it is, which does not belong to a file that was overwritten
      const order = header.isOverwritten ? [writing, reading] : [reading, writing]
      // Closed already where a file that was written again could not be opened
      for (const { database } of order) if (database.isOpen) database.close()
      header.close()
      watched.setLogAside(header.isOverwritten)
    },
  }
}

function openReading(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: BUSY_MS, readOnly: true })
  // SQLite opens the log at the first read: after this one, reads go on when the file is gone
  database.prepare('select count(*) from sqlite_schema').get()
  return waitingNoMore(addFunctions(database))
}

/** From here on the dialect waits, without holding the thread. */
function waitingNoMore(database: DatabaseSync): DatabaseSync {
  database.exec('pragma busy_timeout = 0')
  return database
}

function syncFile(file: string): void {
  const descriptor = openSync(file, 'r+')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Opens the file for writing, for its owner alone, at the newest version of its schema. */
function openWriting(file: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    // SQLite deletes the log of a file without pages
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0) setLogAside(file)
    // SQLite would make it readable for everybody; its side files take over the mode of this one.
    closeSync(openSync(file, 'a', 0o600))
    mendSideFiles(file)
    refuseNewer(file, CONFIG_MIGRATIONS)
    database = new DatabaseSync(file, { timeout: BUSY_MS })
    database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on')
    migrate(database, file, CONFIG_MIGRATIONS, runDataStep)
    return waitingNoMore(addFunctions(database))
  } catch (error) {
    database?.close()
    if (error instanceof CannotStart) throw error
    throw new CannotStart(`${file} cannot be opened: ${(error as Error).message}.`, error)
  }
}
