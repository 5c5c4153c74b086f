import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { createTurns } from '../../base/threads/in-line.ts'
import type { BlockRange, RecordBlock, RecordReader, RollupView, StartedShard } from '../ports/records.ts'
import { toStoreError } from './fault.ts'
import { boundsOf, toStoredBlock, within } from './records.ts'
import { WatchedFile } from './watched-file.ts'

/** Shards that are handed over at a time: a promise for each would cost more than to read it. */
const SHARDS_AT_ONCE = 64

/** Opens the records file for reading only; it must exist. */
export function openRecordReader(path: string): RecordReader {
  let db = new DatabaseSync(path, { readOnly: true, timeout: 1000 })
  let watched = new WatchedFile(path)
  /** Statements by the number of words that are asked for, and the order. */
  const statements = new Map<string, StatementSync>()
  /** Words of rollups by their number. A word never changes. */
  const words = new Map<number, string>()
  const turns = createTurns()
  /** In turn: a view keeps its transaction on this connection open while it waits, and another file may be opened only after it. */
  const reading = <T>(work: () => T | Promise<T>): Promise<T> =>
    turns.run(async () => {
      try {
        open()
        return await work()
      } catch (error) {
        throw toStoreError(error, path)
      }
    })
  const open = (): void => {
    if (watched.look() === null) return
    // Another file may be there now; the old one is not written any more
    if (db.isOpen) db.close()
    statements.clear()
    words.clear()
    db = new DatabaseSync(path, { readOnly: true, timeout: 1000 })
    watched = new WatchedFile(path)
  }
  const statementFor = (words: number, order: 'newest' | 'oldest'): StatementSync => {
    const key = `${words} ${order}`
    let statement = statements.get(key)
    if (statement === undefined) {
      statement = db.prepare(
        `SELECT * FROM blocks WHERE ${within(words)} ORDER BY ${order === 'newest' ? 'max_time DESC, id DESC' : 'min_time, id'}`,
      )
      statements.set(key, statement)
    }
    return statement
  }
  return {
    scan: (range: BlockRange, visit: (block: RecordBlock) => boolean, order = 'newest') =>
      reading(() => {
        const rows = statementFor(range.words.length, order).iterate(...boundsOf(range))
        for (const row of rows) if (!visit(toStoredBlock(row))) break
      }),
    removedUntil: () =>
      reading(() => {
        const row = db.prepare('SELECT until FROM removed').get()
        return row === undefined ? null : Number(row['until'])
      }),
    next: (after) =>
      reading(() => {
        const row = db
          .prepare(
            'SELECT *, coalesce(place, id) AS placed FROM blocks WHERE coalesce(place, id) > ? ORDER BY coalesce(place, id) LIMIT 1',
          )
          .get(after)
        return row && { block: toStoredBlock(row), place: Number(row['placed']) }
      }),
    placeBefore: (timeMs) =>
      reading(() => {
        const first = db.prepare('SELECT min(coalesce(place, id)) AS place FROM blocks WHERE max_time >= ?')
        const found = first.get(timeMs)?.['place']
        if (found != null) return Number(found) - 1
        const last = db.prepare('SELECT max(coalesce(place, id)) AS place FROM blocks').get()
        return Number(last?.['place'] ?? 0)
      }),
    identity: () => reading(() => String(db.prepare('SELECT name FROM identity').get()?.['name'])),
    rowsWithin: (fromMs, toMs, rowsMax) =>
      reading(() => {
        let rows = 0
        const heads = db.prepare('SELECT rows FROM blocks WHERE max_time >= ? AND min_time <= ?')
        for (const head of heads.iterate(fromMs, toMs)) {
          rows += Number(head['rows'])
          if (rows > rowsMax) break
        }
        return rows
      }),
    rollups: (read) =>
      reading(async () => {
        db.exec('BEGIN')
        try {
          return await read(viewOf(db, words))
        } finally {
          db.exec('COMMIT')
        }
      }),
    close: () => turns.run(async () => db.close()),
  }
}

/** @param words those that are known; grows */
function viewOf(db: DatabaseSync, words: Map<number, string>): RollupView {
  return {
    word(id) {
      const known = words.get(id)
      if (known !== undefined) return known
      for (const row of db.prepare('SELECT id, text FROM rollup_words WHERE id > ?').iterate(words.size))
        words.set(Number(row['id']), String(row['text']))
      return words.get(id) ?? ''
    },
    keptSince: async () =>
      new Map(
        db
          .prepare('SELECT width, since FROM rollup_kept')
          .all()
          .map((row) => [Number(row['width']), Number(row['since'])]),
      ),
    uncarried: async (fromMs, toMs) =>
      db
        .prepare('SELECT start FROM uncarried WHERE start >= ? AND start < ?')
        .all(fromMs, toMs)
        .map((row) => Number(row['start'])),
    async *shards(widthMs, facet, shard, fromMs, toMs) {
      const place = shard === null ? '' : 'AND shard = ?'
      // Rows of one shard lie together in the index
      const shards = shard === null ? [] : [shard]
      const found = db
        .prepare(
          `SELECT start, data FROM rollups WHERE width = ? AND facet = ? ${place} AND start >= ? AND start < ?`,
        )
        .iterate(widthMs, facet, ...shards, fromMs, toMs)
      let some: StartedShard[] = []
      for (const row of found) {
        some.push({ startMs: Number(row['start']), data: row['data'] as Uint8Array })
        if (some.length < SHARDS_AT_ONCE) continue
        yield some
        some = []
      }
      if (some.length > 0) yield some
    },
    async *uncounted(fromMs, toMs) {
      const found = db
        .prepare(
          'SELECT blocks.* FROM uncounted JOIN blocks USING (id) WHERE max_time >= ? AND min_time <= ?',
        )
        .iterate(fromMs, toMs)
      for (const row of found) yield toStoredBlock(row)
    },
  }
}
