import { closeSync, existsSync, openSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { CannotStart } from '../../base/refusal.ts'
import { KEY_MIGRATIONS } from '../migrations/records.ts'
import type { KeyRow, KeyStore } from '../ports/places.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'
import { isDamage } from './directory-lock.ts'
import { guarded, mendSideFiles, toStoreError } from './fault.ts'
import { inTransaction, migrate, openAlone, refuseNewer } from './migrate.ts'
import { WatchedFile } from './watched-file.ts'

/** The data directory is locked; nobody else has the file open for long. */
const BUSY_TIMEOUT_MS = 100

/** A file that is made when the first key is saved, for its owner alone. */
export function openKeyStore(file: string): KeyStore {
  let its: Opened | null = null

  function opened(): Opened {
    its ??= open(file)
    return its
  }

  function close(): void {
    its?.database.close()
    // The memory has every key of the log
    its?.watched.removeLog()
    its = null
  }

  function fill(rows: Iterable<KeyRow>): void {
    const { database, put } = opened()
    changed(() => {
      database.exec('DELETE FROM keys')
      for (const row of rows) put(row)
    })
  }

  /** Does something to the file, whose only writer this is. */
  function changed(change: () => void): void {
    const { database, watched } = opened()
    try {
      inTransaction(database, change)
    } finally {
      watched.wrote()
    }
  }

  function discard(): void {
    close()
    for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true })
  }

  return {
    load() {
      if (!existsSync(file)) return []
      try {
        return opened().all()
      } catch (error) {
        const known = toStoreError(error instanceof CannotStart ? error.cause : error, file)
        throw known instanceof StoreUnavailable ? known : error
      }
    },
    loadUnwritable: () => readRows(file),
    save(gone, rows) {
      const { remove, put, watched } = opened()
      guarded(file, () => {
        watched.demand()
        changed(() => {
          for (const key of gone) remove(key)
          for (const row of rows) put(row)
        })
      })
    },
    look: () => its?.watched.demand(),
    replace(rows) {
      try {
        // What was deleted or replaced is not written any more
        const state = its?.watched.look() ?? null
        if (state === 'overwritten') discard()
        else if (state !== null) close()
        guarded(file, () => fill(rows()))
      } catch (error) {
        if (!isDamage(error)) throw error
        discard()
        fill(rows())
      }
    },
    close,
  }
}

function readRows(file: string): readonly KeyRow[] {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS })
    return database.prepare(ALL).all().map(toRow)
  } catch {
    return []
  } finally {
    database?.close()
  }
}

const ALL = 'SELECT key, fingerprint, until, state, sealed FROM keys ORDER BY until'

interface Opened {
  readonly database: DatabaseSync
  readonly watched: WatchedFile
  all(): KeyRow[]
  put(row: KeyRow): void
  remove(key: string): void
}

/**
 * WAL with synchronous=NORMAL: a killed process loses nothing that was committed, a power cut may lose the last moments.
 * What is deleted is overwritten, because it was somebody's answer.
 */
function open(file: string): Opened {
  let database: DatabaseSync | undefined
  try {
    closeSync(openSync(file, 'a', 0o600))
    mendSideFiles(file)
    refuseNewer(file, KEY_MIGRATIONS)
    database = openAlone(file, BUSY_TIMEOUT_MS)
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON')
    migrate(database, file, KEY_MIGRATIONS)
    const all = database.prepare(ALL)
    const remove = database.prepare('DELETE FROM keys WHERE key = ?')
    const put = database.prepare(
      'INSERT INTO keys (key, fingerprint, until, state, sealed) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, until = excluded.until, state = excluded.state, sealed = excluded.sealed',
    )
    return {
      database,
      watched: new WatchedFile(file),
      all: () => all.all().map(toRow),
      put: ({ key, fingerprint, until, state, sealed }) =>
        void put.run(key, fingerprint, until, state, sealed),
      remove: (key) => void remove.run(key),
    }
  } catch (error) {
    database?.close()
    if (error instanceof CannotStart) throw error
    throw new CannotStart(`${file} cannot be opened: ${(error as Error).message}.`, error)
  }
}

/** The casts are sound because the table is STRICT and checks its states. */
function toRow(row: Record<string, unknown>): KeyRow {
  return {
    key: row['key'] as string,
    fingerprint: row['fingerprint'] as string,
    until: row['until'] as number,
    state: row['state'] as KeyRow['state'],
    sealed: row['sealed'] as Uint8Array | null,
  }
}
