import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { BlockRange, RecordBlock, RecordReader } from '../ports/records.ts'
import { toStoredBlock } from './records.ts'

/** Opens the records file for reading only; it must exist. */
export function openRecordReader(path: string): RecordReader {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 1000 })
  /** Statements by the number of words that are asked for, and the order. */
  const statements = new Map<string, StatementSync>()
  const statementFor = (words: number, order: 'newest' | 'oldest'): StatementSync => {
    const key = `${words} ${order}`
    let statement = statements.get(key)
    if (statement === undefined) {
      statement = db.prepare(
        `SELECT * FROM blocks WHERE max_time >= ? AND min_time <= ? AND (classes & ?) <> 0 AND agents >= ?
         ${'AND instr(words, ?) > 0 '.repeat(words)} ORDER BY ${order === 'newest' ? 'max_time DESC, id DESC' : 'min_time, id'}`,
      )
      statements.set(key, statement)
    }
    return statement
  }
  return {
    scan: async (range: BlockRange, visit: (block: RecordBlock) => boolean, order = 'newest') => {
      const { fromMs, toMs, words, classes, agentsOnly } = range
      // As JSON writes them, quotes included: it may find too much (then the rows decide), never too little.
      const needles = words.map((word) => JSON.stringify(word))
      const bounds = [fromMs, toMs, classes, agentsOnly ? 1 : 0]
      const rows = statementFor(words.length, order).iterate(...bounds, ...needles)
      for (const row of rows) if (!visit(toStoredBlock(row))) break
    },
    close: async () => db.close(),
  }
}
