import type { DatabaseSync } from 'node:sqlite'
import type { RollupChange, RollupStore } from '../ports/records.ts'
import { guarded } from './fault.ts'
import { toStoredBlock } from './records.ts'
import { inTransaction } from './transaction.ts'

/** Rollups in the records file. `write` is for callers that have begun a transaction. */
export function createRollupStore(
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
