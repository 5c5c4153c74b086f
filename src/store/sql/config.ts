/**
 * The configuration store over any SQL engine.
 * 1. Writes, consistent reads, probes and the end take turns in order of arrival (`base/threads/in-line.ts`). Both write lanes share these turns:
 *    SQLite has one connection that writes, and a second queue would wait for that connection. The engine is told the lane, so that
 *    one with several connections can lock each lane for itself.
 * 2. A dry run is rolled back after its result is known.
 * 3. The order of a commit: the engine, then `committed` (what is published is kept), then the mark of the audit trail.
 */
import type { Kysely } from 'kysely'
import { createTurns } from '../../base/threads/in-line.ts'
import type { TrailSeal } from '../ports/audit-chain.ts'
import type { ConfigReader, ConfigStore, ConfigWriter, WriteSettings } from '../ports/config.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'
import { createReader } from './config-read.ts'
import { createWriter } from './config-write.ts'
import type { Engine } from './engine.ts'
import { createOAuthWriter } from './oauth.ts'
import type { ConfigTables } from './tables.ts'
import { TrailEnd } from './trail-end.ts'

/** Makes the engine roll back a transaction whose work has succeeded. */
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

/** The configuration store on an engine. @param environment stands in the audit entries that are written */
export function createConfigStore(engine: Engine, environment: string | null): ConfigStore {
  const { dialect } = engine
  const turns = createTurns()
  let seal: TrailSeal | null = null

  async function transaction<T>(
    work: (writer: ConfigWriter) => Promise<T>,
    settings: WriteSettings<T>,
  ): Promise<Committed<T>> {
    const trail = seal && new TrailEnd(seal)
    try {
      const result = await engine.transaction('configuration', async (db) => {
        const result = await work(createWriter(db, engine, environment, trail))
        if (settings.rollback === true) throw new Undo(result)
        return result
      })
      // First: what is published is on disk before the mark says so
      await settings.committed?.(result)
      return { result, marked: trail?.committed() }
    } catch (error) {
      // Only the line above makes one, from the result of this very work.
      if (error instanceof Undo) return { result: error.result as T, marked: undefined }
      if (error instanceof StoreUnavailable && error.fault === 'changed') engine.failed(error)
      throw error
    }
  }

  /** Rejects where the trail does not end with the entry that this process knows. */
  async function expectTrail(): Promise<void> {
    if (seal === null) return
    const trail = new TrailEnd(seal)
    trail.expect(await engine.still((db) => createReader(db, dialect).lastAuditLink()))
  }

  return {
    read: createReader(engine.reading, dialect),
    sealTrail(its) {
      seal = its
    },
    async write(work, settings = {}) {
      const { result, marked } = await turns.run(() => transaction(work, settings))
      // After its turn: meanwhile the next transaction runs, and both marks may be one write
      await marked
      return result
    },
    writeOAuth: (work) => turns.run(() => engine.transaction('oauth', (db) => work(createOAuthWriter(db)))),
    still: <T>(work: (reader: ConfigReader) => Promise<T>, done?: (result: T) => void) =>
      turns.run(async () => {
        const result = await engine.still((db) => work(createReader(db, dialect)))
        done?.(result)
        return result
      }),
    claimJob: (name, everyMs, now) =>
      turns.run(() => engine.transaction('configuration', (db) => claim(db, name, everyMs, now))),
    get fault() {
      return engine.fault
    },
    probe: () => turns.run(() => engine.probe(expectTrail)),
    close: () => turns.run(() => engine.close()),
  }
}

/** As {@link ConfigStore.claimJob}: each of the two statements finds alone whether the claim is free. */
async function claim(db: Kysely<ConfigTables>, name: string, everyMs: number, now: number): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('jobs')
    .values({ name, last: now })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  if ((numInsertedOrUpdatedRows ?? 0n) > 0n) return true
  const { numUpdatedRows } = await db
    .updateTable('jobs')
    .set({ last: now })
    .where('name', '=', name)
    .where((eb) => eb.or([eb('last', '<=', now - everyMs), eb('last', '>', now + everyMs)]))
    .executeTakeFirst()
  return numUpdatedRows > 0n
}
