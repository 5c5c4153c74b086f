/** Claim: 5,000 proxies are applied in 10 s, a plan without a change takes 2 s, and at 10,000 resources a read takes 20 ms. */
import { missingTools } from './measure/machine.ts'
import { createProcesses } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { type Managed, startManaged } from './measure/stand.ts'

const PROXIES = 5_000
const PROXIES_EACH = 500
const READS = 500

const TARGETS = { applyMs: 10_000, planMs: 2_000, readMs: 20 }

export async function config(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['taskset'])
  if (missing.length > 0) return skipped('config', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const { call } = await startManaged(processes, scratch.path, { core: '0,1', workers: 1 })
  const count = quick ? PROXIES / 10 : PROXIES
  const documents = documentsOf('a', count)
  const firstPlan = await timed(() => call('POST', '/config/plan', { documents }))
  const answers = waitWhile(call)
  const apply = await timed(() => call('POST', '/config/apply', { documents }))
  const longest = await answers.stop()
  const plan = await timed(() => call('POST', '/config/plan', { documents }))
  const again = await timed(() => call('POST', '/config/apply', { documents }))
  await call('POST', '/config/apply', { documents: documentsOf('b', count), managed_by: 'more' })
  const exporting = await timed(() => call('GET', '/config/export'))
  const reads: number[] = []
  for (let read = 0; read < READS; read++) {
    const slug = `a${read % (count / PROXIES_EACH || 1)}`
    reads.push(await timed(() => call('GET', `/proxies/${slug}:p${read % PROXIES_EACH}`)))
    reads.push(await timed(() => call('GET', `/proxies?limit=50&collection=${slug}`)))
  }
  reads.sort((a, b) => a - b)
  const read = reads[Math.floor((reads.length - 1) * 0.99)]!
  return {
    name: 'config',
    title: `${count} proxies as documents; reads at ${2 * count} of them`,
    bar: `apply ${TARGETS.applyMs / 1000} s; plan without a change ${TARGETS.planMs / 1000} s; reads p99 ${TARGETS.readMs} ms`,
    met: apply <= TARGETS.applyMs && plan <= TARGETS.planMs && read <= TARGETS.readMs,
    comparisons: [],
    facts: {
      documents: documents.length,
      'plan of all of them, ms': Math.round(firstPlan),
      'apply, ms': Math.round(apply),
      'longest wait of a read meanwhile, ms': Math.round(longest),
      'plan without a change, ms': Math.round(plan),
      'apply without a change, ms': Math.round(again),
      [`export of ${2 * documents.length}, ms`]: Math.round(exporting),
      [`reads at ${2 * documents.length}, p99 ms`]: Math.round(read * 10) / 10,
    },
  }
}

function documentsOf(prefix: string, count: number): object[] {
  const collections = Array.from({ length: Math.ceil(count / PROXIES_EACH) }, (_, n) => `${prefix}${n}`)
  return collections.flatMap((slug) => [
    {
      kind: 'collection',
      slug,
      spec: {
        name: slug,
        base_path: `/${slug}`,
        status: 'published',
        upstream: { targets: [{ url: 'http://127.0.0.1:9000' }] },
      },
    },
    ...Array.from({ length: PROXIES_EACH }, (_, n) => ({
      kind: 'proxy',
      slug: `p${n}`,
      spec: {
        collection: slug,
        name: `Get ${n}`,
        methods: ['GET'],
        path: `/v1/things-${n}/{id}`,
        status: 'published',
        description: 'One of many, with as much text as most have.',
      },
    })),
  ])
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return performance.now() - begun
}

/** Reads one after another until it is stopped, and gives the longest that one took. */
function waitWhile(call: Managed['call']): { stop(): Promise<number> } {
  let isOn = true
  let longest = 0
  const reading = (async () => {
    while (isOn) longest = Math.max(longest, await timed(() => call('GET', '/policies?limit=1')))
  })()
  return {
    async stop() {
      isOn = false
      await reading
      return longest
    },
  }
}
