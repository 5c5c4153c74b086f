/** Claim: while code of workflows runs into its limits, other requests on the same gateway thread stay under 10 ms at p99. */
import { delayedScript, runLoad } from './measure/load.ts'
import { missingTools } from './measure/machine.ts'
import { createProcesses } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { OPEN, openClient, publishOrders, startManaged, startUpstreamSomewhere } from './measure/stand.ts'

const BAR_MS = 10
/** Calls of code that are under way at any time. */
const CALLERS = 8
/** Between the requests of a connection: some 3,000 requests a second in all. */
const DELAY_MS = 20
/** What code does until a limit ends it. */
const HOSTILE: Readonly<Record<string, string>> = {
  'endless loop': '() => { for (;;) {} }',
  'endless memory': '() => { const kept = []; for (;;) kept.push("x".repeat(1000) + kept.length) }',
  'endless recursion': '() => { const deeper = () => { try { deeper() } finally { deeper() } }; deeper() }',
  'a regular expression': '() => /^(a+)+$/.test("a".repeat(40) + "b")',
}

export async function code(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'wrk', 'taskset'])
  if (missing.length > 0) return skipped('code', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const upstreamPort = await startUpstreamSomewhere(processes, scratch.path)
  const { postern, call } = await startManaged(processes, scratch.path, { core: '0-1', workers: 1 })
  await publishOrders(call, upstreamPort)
  const paths: string[] = []
  for (const [name, text] of Object.entries(HOSTILE)) {
    const path = `/code-${paths.length}`
    await call('POST', '/proxies', {
      collection: 'orders',
      name,
      path,
      methods: ['GET'],
      workflow: {
        nodes: [
          { id: 'http', type: 'http_trigger' },
          { id: 'code', type: 'code_node', config: { code: text } },
          { id: 'ok', type: 'response_node' },
        ],
        edges: [
          { from: 'http', to: 'code' },
          { from: 'code', to: 'ok' },
        ],
      },
      status: 'published',
    })
    paths.push(`${postern.gateway}/orders${path}`)
  }
  await openClient(call, ['orders'])
  const headers = Object.fromEntries(OPEN.map((line) => line.split(': ') as [string, string]))
  const script = delayedScript(scratch.path, DELAY_MS)
  const seconds = quick ? 3 : 10
  const load = () => runLoad(processes, `${postern.gateway}/orders/v1/orders/7`, seconds, OPEN, script)
  await load()
  const alone = await load()
  let [isOver, ended] = [false, 0]
  const hostile = Array.from({ length: CALLERS }, async (_, caller) => {
    for (let turn = caller; !isOver; turn += 1) {
      const answer = await fetch(paths[turn % paths.length]!, { headers })
      await answer.arrayBuffer()
      if (answer.status < 500) throw new Error(`${answer.status} where code runs into a limit`)
      ended++
    }
  })
  const beside = await load()
  isOver = true
  await Promise.all(hostile)
  return {
    name: 'code',
    title: 'Requests beside code that runs into its limits, one gateway thread',
    bar: `p99 of the requests under ${BAR_MS} ms`,
    met: beside.p99 < BAR_MS && beside.errors === 0,
    comparisons: [],
    facts: { 'calls of hostile code that ended': ended },
    tables: [
      {
        columns: ['', 'requests/s', 'p50 ms', 'p99 ms', 'errors'],
        rows: Object.entries({ alone, 'beside hostile code': beside }).map(([name, one]) => [
          name,
          Math.round(one.requests / one.seconds),
          one.p50,
          one.p99,
          one.errors,
        ]),
      },
    ],
  }
}
