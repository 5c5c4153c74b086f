import { configStoreSuite } from '../../../test/store/config-suite.ts'
import { onPostgres, tamperWithDatabase } from '../../../test/support/postgres-databases.ts'
import { openConfigStore } from './config.ts'

await onPostgres(({ create }) =>
  configStoreSuite('PostgreSQL', async () => {
    const address = await create()
    return {
      isOfOneProcess: false,
      open: (environment) => openConfigStore(address, environment),
      tamper: () => tamperWithDatabase(address),
    }
  }),
)
