/**
 * `npm run bench -- plain tls governed latency recording start routes mcp memory metrics clients nodes accounts swaps config detectors guardrails workflows code console profile soak against [--quick]`: measures what is named, or everything. It installs
 * nothing: what is missing is said and skipped.
 */
import { accounts } from './accounts.ts'
import { against } from './against.ts'
import { clients } from './clients.ts'
import { code } from './code.ts'
import { config } from './config.ts'
import { consoleScreens } from './console.ts'
import { detectors } from './detectors.ts'
import { governed } from './governed.ts'
import { guardrails } from './guardrails.ts'
import { latency } from './latency.ts'
import { mcp } from './mcp.ts'
import { keep, type Outcome } from './measure/results.ts'
import { memory } from './memory.ts'
import { metrics } from './metrics.ts'
import { nodes } from './nodes.ts'
import { plain } from './plain.ts'
import { profile } from './profile.ts'
import { recording } from './recording.ts'
import { routes } from './routes.ts'
import { soak } from './soak.ts'
import { start } from './start.ts'
import { swaps } from './swaps.ts'
import { tls } from './tls.ts'
import { workflows } from './workflows.ts'

const MEASUREMENTS: Record<string, (quick: boolean) => Promise<Outcome>> = {
  plain,
  tls,
  governed,
  latency,
  recording,
  start,
  routes,
  mcp,
  memory,
  metrics,
  clients,
  nodes,
  accounts,
  swaps,
  config,
  workflows,
  code,
  console: consoleScreens,
  detectors,
  guardrails,
  profile,
  soak,
  against,
}

const names = process.argv.slice(2).filter((argument) => !argument.startsWith('-'))
const quick = process.argv.includes('--quick')
/** One takes an hour alone, the other one needs commits. */
const ONLY_WHEN_NAMED = new Set(['soak', 'against'])
const all = Object.keys(MEASUREMENTS).filter((name) => !ONLY_WHEN_NAMED.has(name))
for (const name of names.length > 0 ? names : all) {
  const measurement = MEASUREMENTS[name]
  if (measurement === undefined) {
    console.error(`"${name}" is not one of ${Object.keys(MEASUREMENTS).join(', ')}.`)
    process.exitCode = 2
    break
  }
  console.log(`${name}${quick ? ' (quick: the figures mean little)' : ''}`)
  keep(await measurement(quick), quick)
}
