/**
 * `npm run bench -- plain governed recording start routes mcp memory swaps [--quick]`: measures what is named, or everything. It installs
 * nothing: what is missing is said and skipped.
 */
import { governed } from './governed.ts'
import { mcp } from './mcp.ts'
import { keep, type Outcome } from './measure/results.ts'
import { memory } from './memory.ts'
import { plain } from './plain.ts'
import { recording } from './recording.ts'
import { routes } from './routes.ts'
import { start } from './start.ts'
import { swaps } from './swaps.ts'

const MEASUREMENTS: Record<string, (quick: boolean) => Promise<Outcome>> = {
  plain,
  governed,
  recording,
  start,
  routes,
  mcp,
  memory,
  swaps,
}

const names = process.argv.slice(2).filter((argument) => !argument.startsWith('-'))
const quick = process.argv.includes('--quick')
for (const name of names.length > 0 ? names : Object.keys(MEASUREMENTS)) {
  const measurement = MEASUREMENTS[name]
  if (measurement === undefined) {
    console.error(`"${name}" is not one of ${Object.keys(MEASUREMENTS).join(', ')}.`)
    process.exitCode = 2
    break
  }
  console.log(`${name}${quick ? ' (quick: the figures mean little)' : ''}`)
  keep(await measurement(quick), quick)
}
