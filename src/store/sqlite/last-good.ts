import { closeSync, existsSync, openSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { inSlices, withoutPause } from '../../base/threads/time-slices.ts'
import type { LastGoodChange, LastGoodEntry, LastGoodStore } from '../ports/places.ts'
import { guarded, toStoreError } from './fault.ts'
import { inTransaction, openAlone } from './migrate.ts'
import { outdatedOf, WatchedFile } from './watched-file.ts'

/** Of this file and of its fragments; a file of another form is forgotten, because it can always be made again. */
const FORM = 1

/** A change that is being written. */
interface Writing {
  readonly steps: Generator<void, void>
  /** What ended it, where nobody has been told yet. */
  error: unknown
}

/** The file is made at the first `keep`, for its owner alone. */
export function openLastGood(file: string): LastGoodStore {
  let database: DatabaseSync | null = existsSync(file) ? opened(file) : null
  let watched = database && new WatchedFile(file)
  const outdated = outdatedOf(file)
  let isClosed = false
  let writing: Writing | null = null

  function made(): DatabaseSync {
    if (database !== null) {
      watched?.demand()
      return database
    }
    remove(file)
    closeSync(openSync(file, 'a', 0o600))
    database = new DatabaseSync(file, { timeout: 5000 })
    database.exec(`pragma journal_mode = wal; pragma synchronous = full; pragma user_version = ${FORM};
create table fragments (key text primary key, hash text not null, text text not null) strict, without rowid;
create table key_sets (source text primary key, at integer not null, hash text not null, text text not null) strict, without rowid;
create table state (one integer primary key check (one = 1), revision integer not null) strict`)
    watched = new WatchedFile(file)
    return database
  }

  /** Does something to the file, whose only writer this is. */
  function changed(change: (into: DatabaseSync) => void): void {
    finish()
    guarded(file, () => {
      const into = made()
      try {
        inTransaction(into, () => change(into))
      } finally {
        watched?.wrote()
      }
    })
  }

  /** All of a change or nothing, step by step: what else is done to the file meanwhile finishes it first. */
  function* steps(change: LastGoodChange): Generator<void, void> {
    const into = made()
    into.exec('begin immediate')
    try {
      yield* write(into, change)
      into.exec('commit')
    } finally {
      // SQLite rolls back by itself on some errors, such as a full disk
      if (into.isOpen && into.isTransaction) into.exec('rollback')
      watched?.wrote()
    }
  }

  /** Finishes a change that is being written. The caller of `keep` gets its errors. */
  function finish(): void {
    try {
      if (writing !== null) withoutPause(writing.steps)
    } catch (error) {
      writing!.error = error
    }
  }

  function forget(): void {
    if (writing !== null) {
      writing.error = new Error(`${file} was forgotten while it was written`)
      writing.steps.return()
    }
    database?.close()
    database = null
    watched = null
    remove(file)
  }

  return {
    revision() {
      if (database === null) return null
      try {
        const state = database.prepare('select revision from state').get()
        return state === undefined ? null : Number(state['revision'])
      } catch {
        return null
      }
    },
    *entries() {
      if (database !== null) yield* read(database)
    },
    async keep(change) {
      const mine: Writing = { steps: steps(change), error: null }
      writing = mine
      try {
        await inSlices(mine.steps)
      } catch (error) {
        mine.error = error
      } finally {
        writing = null
      }
      if (mine.error !== null) throw toStoreError(mine.error, file)
    },
    loadKeySet(source) {
      if (existsSync(outdated)) return null
      try {
        const row = database?.prepare('select hash, text from key_sets where source = ?').get(source)
        return row === undefined ? null : { hash: String(row['hash']), text: String(row['text']) }
      } catch {
        return null
      }
    },
    keepKeySet(source, { at, hash, text }, since) {
      if (isClosed) return
      const isOutdated = existsSync(outdated)
      changed((into) => {
        if (isOutdated) into.exec('delete from key_sets')
        into.prepare('delete from key_sets where at < ?').run(since)
        into
          .prepare('insert or replace into key_sets (source, at, hash, text) values (?, ?, ?, ?)')
          .run(source, at, hash, text)
      })
      if (isOutdated) rmSync(outdated)
    },
    forgetKeySets: () => closeSync(openSync(outdated, 'w', 0o600)),
    look: () => watched?.demand(),
    forget,
    close() {
      isClosed = true
      finish()
      database?.close()
    },
  }
}

function remove(file: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true })
}

function opened(file: string): DatabaseSync | null {
  let database: DatabaseSync | undefined
  try {
    database = openAlone(file, 5000)
    database.exec('pragma synchronous = full')
    if (database.prepare('pragma user_version').get()?.['user_version'] === FORM) return database
  } catch {
    // Damaged: as good as not there.
  }
  database?.close()
  return null
}

function* read(database: DatabaseSync): Generator<LastGoodEntry> {
  const rows = database.prepare('select key, hash, text from fragments order by key').iterate()
  for (const { key, hash, text } of rows) yield { key: String(key), hash: String(hash), text: String(text) }
}

function* write(
  database: DatabaseSync,
  { revision, full, put, drop }: LastGoodChange,
): Generator<void, void> {
  const remove = database.prepare('delete from fragments where key = ?')
  for (const key of drop) {
    remove.run(key)
    yield
  }
  const upsert = database.prepare(
    `insert into fragments (key, hash, text) values (?, ?, ?)
on conflict (key) do update set hash = excluded.hash, text = excluded.text where hash <> excluded.hash`,
  )
  const kept = new Set<string>()
  for (const { key, hash, text } of put) {
    if (full) kept.add(key)
    upsert.run(key, hash, text)
    yield
  }
  if (full)
    for (const { key } of database.prepare('select key from fragments').all()) {
      if (!kept.has(String(key))) remove.run(String(key))
      yield
    }
  database
    .prepare(
      // Where nothing has changed, nothing is written: a start on a full disk keeps what there is
      'insert into state (one, revision) values (1, ?) on conflict (one) do update set revision = excluded.revision where revision <> excluded.revision',
    )
    .run(revision)
}
