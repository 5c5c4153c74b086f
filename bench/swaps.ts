/** Claim: 10,000 changes of the configuration under load fail no request; a change at 5,000 routes is in force in about 100 ms. */
import { runLoad } from './measure/load.ts'
import { missingTools } from './measure/machine.ts'
import { createProcesses } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { OPEN, openClient, startManaged, startUpstreamSomewhere } from './measure/stand.ts'
import { addCollection, pathOf, slugOf } from './routes.ts'

const CHANGES = 10_000
const COLLECTIONS = 50
const ROUTES_EACH = 100

export async function swaps(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'wrk', 'taskset'])
  if (missing.length > 0) return skipped('swaps', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const upstreamPort = await startUpstreamSomewhere(processes, scratch.path)
  const { postern, call } = await startManaged(processes, scratch.path, { core: '0,1', workers: 2 })
  console.log(`  making ${COLLECTIONS * ROUTES_EACH} routes`)
  for (let index = 0; index < COLLECTIONS; index++)
    await addCollection(call, index, ROUTES_EACH, upstreamPort)
  const slugs = Array.from({ length: COLLECTIONS }, (_, index) => slugOf(index))
  await openClient(call, slugs)

  const url = `${postern.gateway}/${slugOf(0)}${pathOf(0)}/42/items/7`
  const changes = quick ? CHANGES / 20 : CHANGES
  let isChanging = true
  let requests = 0
  let failed = 0
  const load = (async () => {
    while (isChanging) {
      const seen = await runLoad(processes, url, 5, OPEN)
      requests += seen.requests
      failed += seen.errors
    }
  })()
  const took: number[] = []
  for (let change = 0; change < changes; change++) {
    const begun = performance.now()
    // The collection that is called, so that every change takes its routes and pool along
    await call('PATCH', `/collections/${slugOf(0)}`, {
      headers: [{ name: 'X-Change', value: String(change) }],
    })
    took.push(performance.now() - begun)
    if ((change + 1) % 1000 === 0) console.log(`  ${change + 1} changes`)
  }
  isChanging = false
  await load
  took.sort((a, b) => a - b)
  const at = (share: number): number => Math.round(took[Math.floor((took.length - 1) * share)]! * 10) / 10
  return {
    name: 'swaps',
    title: `${changes} changes under load, ${COLLECTIONS * ROUTES_EACH} routes, two gateway threads`,
    bar: 'no failed request; a change in force after about 100 ms (p99, reported)',
    met: failed === 0,
    comparisons: [],
    facts: {
      changes,
      'requests meanwhile': requests,
      'failed requests': failed,
      'from the change to its answer, when it is in force, p50 ms': at(0.5),
      'the same, p99 ms': at(0.99),
    },
  }
}
