import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { BlockRange, RecordBlock, RecordReader } from '../ports/records.ts'
import { guarded } from './fault.ts'
import { boundsOf, toStoredBlock, within } from './records.ts'
import { WatchedFile } from './watched-file.ts'

/** Opens the records file for reading only; it must exist. */
export function openRecordReader(path: string): RecordReader {
  let db = new DatabaseSync(path, { readOnly: true, timeout: 1000 })
  let watched = new WatchedFile(path)
  /** Statements by the number of words that are asked for, and the order. */
  const statements = new Map<string, StatementSync>()
  const open = (): void => {
    if (watched.look() === null) return
    // Another file may be there now; the old one is not written any more
    if (db.isOpen) db.close()
    statements.clear()
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
    scan: async (range: BlockRange, visit: (block: RecordBlock) => boolean, order = 'newest') =>
      guarded(path, () => {
        open()
        const rows = statementFor(range.words.length, order).iterate(...boundsOf(range))
        for (const row of rows) if (!visit(toStoredBlock(row))) break
      }),
    removedUntil: async () =>
      guarded(path, () => {
        open()
        const row = db.prepare('SELECT until FROM removed').get()
        return row === undefined ? null : Number(row['until'])
      }),
    close: async () => db.close(),
  }
}
