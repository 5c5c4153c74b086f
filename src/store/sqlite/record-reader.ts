import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { BlockRange, RecordBlock, RecordReader } from '../ports/records.ts'
import { boundsOf, toStoredBlock, within } from './records.ts'

/** Opens the records file for reading only; it must exist. */
export function openRecordReader(path: string): RecordReader {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 1000 })
  const removed = db.prepare('SELECT until FROM removed')
  /** Statements by the number of words that are asked for, and the order. */
  const statements = new Map<string, StatementSync>()
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
    scan: async (range: BlockRange, visit: (block: RecordBlock) => boolean, order = 'newest') => {
      const rows = statementFor(range.words.length, order).iterate(...boundsOf(range))
      for (const row of rows) if (!visit(toStoredBlock(row))) break
    },
    removedUntil: async () => {
      const row = removed.get()
      return row === undefined ? null : Number(row['until'])
    },
    close: async () => db.close(),
  }
}
