/** Claim: a workflow of five nodes without I/O adds at most 60 microseconds of CPU to a call. */
import { missingTools } from './measure/machine.ts'
import { createProcesses } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { type Candidate, compare, roundOptions } from './measure/rounds.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { OPEN, openClient, publishOrders, startManaged, startUpstreamSomewhere } from './measure/stand.ts'

const MICROSECONDS_MAX = 60
const HTTP = { id: 'http', type: 'http_trigger' }

const ANSWER = {
  nodes: [HTTP, { id: 'ok', type: 'response_node', inputs: { body: { ok: true } } }],
  edges: [{ from: 'http', to: 'ok' }],
}
const DECIDING = [
  {
    id: 'check',
    type: 'validate_node',
    config: { schema: { type: 'object', required: ['of'], properties: { of: { type: 'string' } } } },
    inputs: { value: '{{ $.http.request.query }}' },
  },
  {
    id: 'set',
    type: 'set_node',
    inputs: { text: 'order {{ $.http.request.query.of }}', next: '{{ size($.http.request.path) + 1 }}' },
  },
  {
    id: 'is',
    type: 'condition_node',
    inputs: { expression: '{{ $.set.next > 3 && $.set.text.startsWith("order") }}' },
  },
]
const EDGES = [
  { from: 'http', to: 'check' },
  { from: 'check', handle: 'valid', to: 'set' },
  { from: 'set', to: 'is' },
]
const FIVE = {
  nodes: [
    HTTP,
    ...DECIDING,
    {
      id: 'ok',
      type: 'response_node',
      inputs: { body: { text: '{{ $.set.text }}', next: '{{ $.set.next }}' } },
    },
  ],
  edges: [...EDGES, { from: 'is', handle: 'true', to: 'ok' }],
}
const AROUND = {
  nodes: [
    HTTP,
    ...DECIDING,
    { id: 'call', type: 'proxy_node' },
    {
      id: 'ok',
      type: 'response_node',
      inputs: { status: '{{ $.call.status }}', headers: '{{ $.call.headers }}', body: '{{ $.call.body }}' },
    },
  ],
  edges: [
    ...EDGES,
    { from: 'is', handle: 'true', to: 'call' },
    { from: 'call', handle: 'success', to: 'ok' },
  ],
}

export async function workflows(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'wrk', 'taskset'])
  if (missing.length > 0) return skipped('workflows', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const upstreamPort = await startUpstreamSomewhere(processes, scratch.path)
  const { postern, call } = await startManaged(processes, scratch.path, { core: 0, workers: 1 })
  await publishOrders(call, upstreamPort)
  const endpoint = async (name: string, path: string, workflow: object | null): Promise<Candidate> => {
    if (workflow !== null)
      await call('POST', '/proxies', {
        collection: 'orders',
        name,
        path,
        methods: ['GET'],
        workflow,
        status: 'published',
      })
    return { name, process: postern.process, url: `${postern.gateway}/orders${path}?of=7`, headers: OPEN }
  }
  const candidates = [
    await endpoint('trigger and response', '/answer', ANSWER),
    await endpoint('five nodes without I/O', '/five', FIVE),
    await endpoint('four nodes, then a call of the upstream and a response', '/around', AROUND),
    await endpoint('forwarded, without a workflow', '/v1/orders/{id}'.replace('{id}', '7'), null),
  ]
  await openClient(call, ['orders'])
  const comparisons = await compare(processes, candidates, roundOptions(quick))
  const microseconds = (at: number): number => comparisons[at]!.figures.cpuPer100k * 10
  const added = (at: number, base: number): number =>
    Math.round(10 * (microseconds(at) - microseconds(base))) / 10
  return {
    name: 'workflows',
    title: 'Workflows, one gateway thread',
    bar: `three nodes more cost at most ${MICROSECONDS_MAX} microseconds of CPU`,
    met: added(1, 0) <= MICROSECONDS_MAX,
    comparisons,
    facts: {
      'three nodes more, microseconds of CPU': added(1, 0),
      'a workflow around the call of the upstream, microseconds of CPU more than without': added(2, 3),
    },
  }
}
