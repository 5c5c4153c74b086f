import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBatchWriter } from '../../src/record/batch.ts'
import { toBlock } from '../../src/record/block.ts'
import type { RecordFields } from '../../src/record/fields.ts'
import type { RecordReader } from '../../src/store/ports/records.ts'
import { openRecordReader } from '../../src/store/sqlite/record-reader.ts'
import { openRecordStore } from '../../src/store/sqlite/records.ts'

/** Makes files of records, which are gone when it is. */
export class RecordFiles implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'postern-records-'))
  #files = 0

  /** The path of a real file with the given records, in blocks of `blockRows`. */
  async write(records: readonly RecordFields[], blockRows: number): Promise<string> {
    const path = join(this.#directory, `${this.#files++}.db`)
    const store = openRecordStore(path)
    for (let at = 0; at < records.length; at += blockRows) {
      const writer = createBatchWriter(blockRows)
      for (const record of records.slice(at, at + blockRows)) writer.add(record)
      await store.append([toBlock(writer.take())])
    }
    await store.close()
    return path
  }

  /** A reader over such a file. */
  async read(records: readonly RecordFields[], blockRows: number): Promise<RecordReader> {
    return openRecordReader(await this.write(records, blockRows))
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true })
  }
}
