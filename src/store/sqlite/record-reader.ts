import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { BlockRange, RecordBlock, RecordReader } from '../ports/records.ts'
import { toStoredBlock } from './records.ts'

/** Opens the records file for reading only; it must exist. */
export function openRecordReader(path: string): RecordReader {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 1000 })
  /** Statements by the number of words that are asked for. */
  const statements = new Map<number, StatementSync>()
  const statementFor = (words: number): StatementSync => {
    let statement = statements.get(words)
    if (statement === undefined) {
      statement = db.prepare(
        `SELECT * FROM blocks WHERE max_time >= ? AND min_time <= ? AND (classes & ?) <> 0 AND agents >= ?
         ${'AND instr(words, ?) > 0 '.repeat(words)} ORDER BY max_time DESC, id DESC`,
      )
      statements.set(words, statement)
    }
    return statement
  }
  return {
    scan: async (range: BlockRange, visit: (block: RecordBlock) => boolean) => {
      const { fromMs, toMs, words, classes, agentsOnly } = range
      // As JSON writes them, quotes included: it may find too much (then the rows decide), never too little.
      const needles = words.map((word) => JSON.stringify(word))
      const rows = statementFor(words.length).iterate(fromMs, toMs, classes, agentsOnly ? 1 : 0, ...needles)
      for (const row of rows) if (!visit(toStoredBlock(row))) break
    },
    close: async () => db.close(),
  }
}
