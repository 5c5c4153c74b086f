import { recordStoreSuite } from '../../../test/store/record-suite.ts'
import { onPostgres } from '../../../test/support/postgres-databases.ts'
import { openRecordReader } from './record-reader.ts'
import { openRecordStore } from './records.ts'

await onPostgres(({ create }) =>
  recordStoreSuite('PostgreSQL', async () => {
    const address = await create()
    return { open: () => openRecordStore(address), openReader: () => openRecordReader(address) }
  }),
)
