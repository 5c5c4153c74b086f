/** Changes the configuration of the directory it is given without pause, until it is killed. Says each answer. */
import { startControl } from './control.ts'

const control = await startControl({ directory: process.argv[2]! })
const run = process.argv[3]!
console.log('ready')
for (let n = 0; ; n++) {
  const slug = `p-${run}-${n}`
  await Promise.all([
    control.run('policies.create', { name: 'P', slug }),
    control.run('clients.create', { name: 'C', slug: `c-${run}-${n}` }),
    control.run('collections.create', { name: 'C', slug: `k-${run}-${n}`, base_path: `/${run}/${n}` }),
  ])
  await control.run('policies.update', { id: slug, name: `P${n}` })
  await control.run('policies.delete', { id: slug }, { confirm: slug })
  console.log(`answered ${await control.store.read.revision()}`)
}
