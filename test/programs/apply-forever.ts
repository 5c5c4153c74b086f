/** Applies a thousand documents again and again, each time with another description. Says when it begins and each answer. */
import { startControl } from '../control.ts'

const control = await startControl({ directory: process.argv[2]! })
const run = process.argv[3]!
for (let n = 0; ; n++) {
  const documents = Array.from({ length: 1000 }, (_, index) => ({
    kind: 'policy',
    slug: `p${index}`,
    spec: { name: 'P', description: `${run}-${n}` },
  }))
  console.log('begun')
  const { output } = await control.run('config.apply', { documents })
  console.log(`answered ${output['config_revision']}`)
}
