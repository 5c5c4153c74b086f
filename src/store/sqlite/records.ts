/**
 * The records file, apart from the configuration so that neither waits for the other. WAL with synchronous=NORMAL: a power
 * failure may lose the last moments of records; a killed process loses none that were committed.
 */
import { closeSync, openSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { CannotStart } from '../../base/refusal.ts'
import { RECORD_MIGRATIONS } from '../migrations/records.ts'
import {
  type BlockRange,
  type RecordBlock,
  type RecordStore,
  type RollupChange,
  type RollupStore,
  type StoredBlock,
  toQuotaRow,
} from '../ports/records.ts'
import { guarded, mendSideFiles } from './fault.ts'
import { inTransaction, migrate, refuseNewer } from './migrate.ts'

/** How long a statement waits for another process that holds the file. */
const BUSY_TIMEOUT_MS = 1000

/** Opens or creates the file and brings it to the newest version. Throws CannotStart when it is from a newer one or cannot be opened. */
export function openRecordStore(path: string): RecordStore {
  let db: DatabaseSync | undefined
  try {
    // SQLite would make it readable for everybody; its side files take over the mode of this one.
    closeSync(openSync(path, 'a', 0o600))
    mendSideFiles(path)
    refuseNewer(path, RECORD_MIGRATIONS)
    db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
    migrate(db, path, RECORD_MIGRATIONS)
    return createStore(db, path)
  } catch (error) {
    db?.close()
    if (error instanceof CannotStart) throw error
    throw new CannotStart(`${path} cannot be opened: ${(error as Error).message}.`, error)
  }
}

/** What rollups do not count yet is kept: they would never count it. */
const COUNTED = 'id NOT IN (SELECT id FROM uncounted)'

function createStore(db: DatabaseSync, path: string): RecordStore {
  const insert = db.prepare(
    'INSERT INTO blocks (min_time, max_time, rows, classes, agents, environment, words, numbers, text, proved, bytes, place) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  )
  const remove = db.prepare('DELETE FROM blocks WHERE id = ?')
  const small = db.prepare(
    `SELECT * FROM blocks WHERE rows < ? AND environment IS ? AND proved = ?
       AND ${COUNTED} ORDER BY id LIMIT ?`,
  )
  const old = db.prepare(
    `DELETE FROM blocks WHERE id IN (SELECT id FROM blocks WHERE max_time < ? AND ${COUNTED} LIMIT ?) RETURNING max_time`,
  )
  const saveRemoved = db.prepare(
    'INSERT INTO removed (id, until) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET until = max(until, excluded.until)',
  )
  const oldest = db.prepare(
    `DELETE FROM blocks WHERE id IN (SELECT id FROM blocks WHERE proved = ? AND ${COUNTED} ORDER BY max_time, id LIMIT 1)
       RETURNING bytes, max_time`,
  )
  const unproved = db.prepare('SELECT sum(bytes) AS bytes FROM blocks WHERE proved = 0')
  const pages = db.prepare(
    'SELECT (page_count - freelist_count) * page_size AS bytes FROM pragma_page_count, pragma_freelist_count, pragma_page_size',
  )
  const loadQuotas = db.prepare('SELECT key, period, ends, entered, count FROM quotas')
  const saveQuota = db.prepare(
    `INSERT INTO quotas (key, period, ends, entered, count, turn) VALUES (?, ?, ?, ?, ?, (SELECT turn FROM quota_turns))
     ON CONFLICT (key) DO UPDATE SET period = excluded.period, ends = excluded.ends, entered = excluded.entered,
       count = excluded.count, turn = excluded.turn`,
  )
  // Nothing is written while there is nothing to forget
  const turnQuotas = db.prepare('UPDATE quota_turns SET turn = turn + 1 WHERE EXISTS (SELECT 1 FROM quotas)')
  const pruneQuotas = db.prepare(
    'DELETE FROM quotas WHERE period < ? AND turn < (SELECT turn FROM quota_turns) - ?',
  )
  const placeOf = db.prepare('SELECT coalesce(place, id) AS place FROM blocks WHERE id = ?')
  /** The place of the last of several blocks. */
  const lastPlace = (ids: readonly number[]): number =>
    Math.max(...ids.map((id) => Number(placeOf.get(id)?.['place'] ?? 0)))
  /** @param place null for the end */
  const add = (block: RecordBlock, place: number | null = null): number | bigint => {
    const { minTimeMs, maxTimeMs, rows, classes, agents, environment, words, numbers, text, proved } = block
    const head = [minTimeMs, maxTimeMs, rows, classes, agents, environment]
    const bytes = Buffer.byteLength(words) + numbers.byteLength + text.byteLength
    return insert.run(...head, words, numbers, text, proved ? 1 : 0, bytes, place).lastInsertRowid
  }
  const notCounted = db.prepare('INSERT INTO uncounted (id) VALUES (?)')
  const rollups = createRollupStore(db, path)
  return {
    append: async (blocks) =>
      guarded(path, () =>
        inTransaction(db, () => {
          for (const block of blocks) notCounted.run(add(block))
        }),
      ),
    small: async (rowsBelow, blocksMax, environment, proved) =>
      guarded(path, () => small.all(rowsBelow, environment, proved ? 1 : 0, blocksMax).map(toStoredBlock)),
    replace: async (ids, block) =>
      guarded(path, () =>
        inTransaction(db, () => {
          const place = lastPlace(ids)
          for (const id of ids) remove.run(id)
          add(block, place)
        }),
      ),
    prune: async (beforeMs, blocksMax) =>
      guarded(path, () => {
        let deleted = 0
        inTransaction(db, () => {
          const gone = old.all(beforeMs, blocksMax)
          deleted = gone.length
          if (deleted > 0) saveRemoved.run(Math.max(...gone.map((row) => Number(row['max_time']))))
        })
        return deleted
      }),
    find: async (range, after, blocksMax) =>
      guarded(path, () =>
        db
          .prepare(`SELECT * FROM blocks WHERE ${within(range.words.length)} AND id > ? ORDER BY id LIMIT ?`)
          .all(...boundsOf(range), after, blocksMax)
          .map(toStoredBlock),
      ),
    // No other process writes to the file
    takeUpkeep: async () => {},
    erase: async (id, left, change) =>
      guarded(path, () => {
        // Only here: overwriting what retention deletes would cost as much again as storing it.
        db.exec('PRAGMA secure_delete = ON')
        try {
          let isThere = false
          inTransaction(db, () => {
            const place = lastPlace([id])
            isThere = remove.run(id).changes > 0
            if (!isThere) return
            const its = left === null ? null : add(left, place)
            if (change !== null) rollups.write(change)
            else if (its !== null) notCounted.run(its)
          })
          return isThere
        } finally {
          db.exec('PRAGMA secure_delete = OFF')
        }
      }),
    settle: async () => guarded(path, () => db.exec('PRAGMA wal_checkpoint(TRUNCATE)')),
    shrink: async (bytesMax, unprovedMax, blocksMax) =>
      guarded(path, () => {
        let deleted = 0
        let ofUnproved: number | null = null
        // One at a time: blocks are of very different sizes.
        while (deleted < blocksMax && Number(pages.get()?.['bytes']) > bytesMax) {
          ofUnproved ??= Number(unproved.get()?.['bytes'] ?? 0)
          const first = ofUnproved > unprovedMax ? 0 : 1
          let gone = oldest.get(first)
          if (gone !== undefined && first === 0) ofUnproved -= Number(gone['bytes'])
          gone ??= oldest.get(1 - first)
          if (gone === undefined) break
          saveRemoved.run(Number(gone['max_time']))
          deleted++
        }
        return deleted
      }),
    rollups,
    quotas: {
      shared: null,
      load: async () => guarded(path, () => loadQuotas.all().map(toQuotaRow)),
      save: async (rows) =>
        guarded(path, () =>
          inTransaction(db, () => {
            for (const { key, period, ends, entered, count } of rows)
              saveQuota.run(key, period, ends, entered, count)
          }),
        ),
      prune: async (beforeMs, turnsKept) =>
        guarded(path, () =>
          inTransaction(db, () => {
            turnQuotas.run()
            pruneQuotas.run(beforeMs, turnsKept)
          }),
        ),
    },
    touch: async () => guarded(path, () => db.exec('PRAGMA user_version = 1')),
    close: async () => db.close(),
  }
}

/** The condition of a {@link BlockRange} with so many words, for the values of {@link boundsOf}. */
export function within(words: number): string {
  return `max_time >= ? AND min_time <= ? AND (classes & ?) <> 0 AND agents >= ?${' AND instr(words, ?) > 0'.repeat(words)}`
}

/** The values for the condition of {@link within}, in its order. */
export function boundsOf({ fromMs, toMs, words, classes, agentsOnly }: BlockRange): SQLInputValue[] {
  // As JSON writes them, quotes included: it may find too much (then the rows decide), never too little.
  return [fromMs, toMs, classes, agentsOnly ? 1 : 0, ...words.map((word) => JSON.stringify(word))]
}

/** A row of `blocks`. The casts are sound because the table is STRICT. */
export function toStoredBlock(row: Record<string, unknown>): StoredBlock {
  return {
    id: row['id'] as number,
    rows: row['rows'] as number,
    proved: row['proved'] === 1,
    minTimeMs: row['min_time'] as number,
    maxTimeMs: row['max_time'] as number,
    classes: row['classes'] as number,
    agents: row['agents'] as number,
    environment: row['environment'] as string | null,
    words: row['words'] as string,
    numbers: row['numbers'] as Uint8Array,
    text: row['text'] as Uint8Array,
  }
}

/** Rollups in the records file. `write` is for callers that have begun a transaction. */
function createRollupStore(
  db: DatabaseSync,
  path: string,
): RollupStore & { write(change: RollupChange): void } {
  const allWords = db.prepare('SELECT id, text FROM rollup_words')
  const addWord = db.prepare('INSERT INTO rollup_words (id, text) VALUES (?, ?)')
  const uncounted = db.prepare(
    'SELECT blocks.* FROM uncounted JOIN blocks USING (id) ORDER BY uncounted.id LIMIT ?',
  )
  const isUncounted = db.prepare('SELECT 1 FROM uncounted WHERE id = ?')
  const count = db.prepare('DELETE FROM uncounted WHERE id = ?')
  const one = db.prepare('SELECT data FROM rollups WHERE width = ? AND facet = ? AND shard = ? AND start = ?')
  const put = db.prepare(
    `INSERT INTO rollups (width, facet, shard, start, data, bytes) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (width, facet, shard, start) DO UPDATE SET data = excluded.data, bytes = excluded.bytes`,
  )
  const forget = db.prepare('DELETE FROM rollups WHERE width = ? AND start < ?')
  const size = db.prepare('SELECT sum(bytes) AS bytes FROM rollups')
  const oldest = db.prepare(
    'SELECT width, min(start) AS start FROM rollups GROUP BY width ORDER BY width LIMIT 1',
  )
  const noteKept = db.prepare(
    `INSERT INTO rollup_kept (width, since) VALUES (?, ?)
     ON CONFLICT (width) DO UPDATE SET since = max(since, excluded.since)`,
  )
  const forgetOne = db.prepare('DELETE FROM rollups WHERE width = ? AND start = ?')

  const uncarry = db.prepare('INSERT INTO uncarried (start) VALUES (?) ON CONFLICT DO NOTHING')
  const carry = db.prepare('DELETE FROM uncarried WHERE start = ?')
  const allUncarried = db.prepare('SELECT start FROM uncarried')
  const starting = db.prepare('SELECT * FROM rollups WHERE width = ? AND start = ?')
  const write = ({ rows, words, uncarried, carried }: RollupChange): void => {
    for (const start of uncarried) uncarry.run(start)
    for (const start of carried) carry.run(start)
    for (const [id, text] of words) addWord.run(id, text)
    for (const { widthMs, facet, shard, startMs, data } of rows)
      put.run(widthMs, facet, shard, startMs, data, data.byteLength)
  }
  return {
    write,
    words: async () =>
      guarded(path, () => new Map(allWords.all().map((row) => [String(row['text']), Number(row['id'])]))),
    uncounted: async (blocksMax) => guarded(path, () => uncounted.all(blocksMax).map(toStoredBlock)),
    isCounted: async (block) => guarded(path, () => isUncounted.get(block) === undefined),
    uncarried: async () => guarded(path, () => allUncarried.all().map((row) => Number(row['start']))),
    startingAt: async (widthMs, startMs) =>
      guarded(path, () =>
        starting.all(widthMs, startMs).map((row) => ({
          widthMs,
          startMs,
          facet: Number(row['facet']),
          shard: Number(row['shard']),
          data: row['data'] as Uint8Array,
        })),
      ),
    read: async (keys) =>
      guarded(path, () =>
        keys.map(({ widthMs, facet, shard, startMs }) => {
          const row = one.get(widthMs, facet, shard, startMs)
          return row === undefined ? null : (row['data'] as Uint8Array)
        }),
      ),
    save: async (change, counted) =>
      guarded(path, () =>
        inTransaction(db, () => {
          write(change)
          for (const block of counted) count.run(block)
        }),
      ),
    prune: async (before, bytesMax) =>
      guarded(path, () =>
        inTransaction(db, () => {
          for (const [widthMs, startMs] of before)
            if (forget.run(widthMs, startMs).changes > 0) noteKept.run(widthMs, startMs)
          while (Number(size.get()?.['bytes'] ?? 0) > bytesMax) {
            const first = oldest.get()
            if (first === undefined) break
            const [width, start] = [Number(first['width']), Number(first['start'])]
            forgetOne.run(width, start)
            noteKept.run(width, start + width)
          }
        }),
      ),
  }
}
