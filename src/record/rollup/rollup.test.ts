import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { rollupSuite } from '../../../test/store/rollup-suite.ts'
import { openRecordReader } from '../../store/sqlite/record-reader.ts'
import { openRecordStore } from '../../store/sqlite/records.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-rollups-'))
after(() => rmSync(directory, { recursive: true }))

let files = 0
rollupSuite('SQLite', async () => {
  const file = join(directory, `${files++}.db`)
  return { open: async () => openRecordStore(file), openReader: async () => openRecordReader(file) }
})
