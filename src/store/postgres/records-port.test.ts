import { recordStoreSuite } from '../../../test/store/record-suite.ts'
import { rollupSuite } from '../../../test/store/rollup-suite.ts'
import { onPostgres } from '../../../test/support/postgres-databases.ts'
import { openRecordReader } from './record-reader.ts'
import { openRecordStore } from './records.ts'

/** Of each property of rollups: thousands of questions go to the server. */
const RUNS = 2

await onPostgres(({ create }) => {
  const make = async () => {
    const address = await create()
    return { open: () => openRecordStore(address), openReader: () => openRecordReader(address) }
  }
  recordStoreSuite('PostgreSQL', make)
  rollupSuite('PostgreSQL', make, RUNS)
})
