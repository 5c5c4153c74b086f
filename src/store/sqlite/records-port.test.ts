import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { recordStoreSuite } from '../../../test/store/record-suite.ts'
import { openRecordReader } from './record-reader.ts'
import { openRecordStore } from './records.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-records-port-'))
after(() => rmSync(directory, { recursive: true, force: true }))

let files = 0
recordStoreSuite('SQLite', async () => {
  const file = join(directory, `${files++}.db`)
  return { open: async () => openRecordStore(file), openReader: async () => openRecordReader(file) }
})
