/**
 * `npm run build`: makes the console in `ui/dist` and the bundle of the program in `dist`. `npm ci` and `npm start` run this file too,
 * which does nothing for what is up to date.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import '../ui/build/build.ts'
import { findBundle } from '../src/base/bundle.ts'

const top = resolve(import.meta.dirname, '..')
// Without the tools of development the sources run
if (findBundle(top) === null && existsSync(resolve(top, 'node_modules/rolldown'))) {
  const started = performance.now()
  const { makeBundle } = await import('./bundle.ts')
  await makeBundle(top)
  console.log(`Bundled the program in ${((performance.now() - started) / 1000).toFixed(1)} s`)
}
