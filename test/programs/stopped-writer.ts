/** Begins a change of the configuration in PostgreSQL, and goes on when something comes on its input. The first argument is the address as JSON. */
import { once } from 'node:events'
import { openConfigStore } from '../../src/store/postgres/config.ts'
import { policy } from '../store/place.ts'

const store = await openConfigStore(JSON.parse(process.argv[2]!))
try {
  await store.write(async (writer) => {
    await writer.insert(policy('stopped', 'stopped'))
    process.stdout.write('begun\n')
    await once(process.stdin, 'data')
    await writer.insert(policy('later', 'later'))
  })
  process.stdout.write('done\n')
} catch (error) {
  process.stdout.write(`${(error as { fault?: string }).fault}\n`)
} finally {
  process.stdin.destroy()
  await store.close()
}
