import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SYSTEM_AMBIENT } from '../../base/expression/expression.ts'
import type { Plain } from '../../base/json/storable.ts'
import { WorkflowDefinition } from '../../model/workflow/workflow.ts'
import { NodeFailure } from '../../nodes/run.ts'
import { compilePlan } from '../../snapshot/compile/workflow.ts'
import { linkedPlan } from './linked.ts'
import { type RunEnd, type RunTools, WorkflowRun } from './run.ts'
import { RunTrace } from './trace.ts'

interface Graph {
  readonly nodes: readonly { readonly id: string; readonly type: string; readonly [name: string]: unknown }[]
  readonly edges: readonly { readonly from: string; readonly to: string; readonly handle?: string }[]
}

const HTTP = { id: 'http', type: 'http_trigger' }
const REQUEST = { body: { n: 3 } }
const TOOLS: Omit<RunTools, 'callUpstream' | 'fault' | 'ended' | 'budget' | 'trace'> = {
  request: REQUEST,
  ambient: SYSTEM_AMBIENT,
  caller: { client: 'cli_1', profile: 'pro_1', subject: '', claims: new Map() },
  holder: '',
  code: null,
  values: { get: () => null, set: () => false, delete: () => {} },
  isInner: false,
  callServer: () => assert.fail('no node of this test calls a server of its own'),
  within: '',
  callTool: () => assert.fail('no tool'),
  runWorkflow: () => assert.fail('no workflow'),
  takeRate: () => assert.fail('nothing is counted'),
  askService: () => assert.fail('no server is asked'),
}

function planned(graph: Graph) {
  const plan = compilePlan(WorkflowDefinition.parse(graph))
  return plan === null ? null : linkedPlan(JSON.parse(JSON.stringify(plan)) as NonNullable<typeof plan>)
}

/** Runs a graph; calls of the upstream are answered by `upstream`. */
function run(
  graph: Graph,
  upstream: RunTools['callUpstream'] = () => assert.fail('no call'),
  ambient: RunTools['ambient'] = SYSTEM_AMBIENT,
): Promise<RunEnd> {
  const plan = planned(graph)
  assert.ok(plan !== null, 'the graph is free of errors')
  return new Promise((ended, fail) => {
    new WorkflowRun(plan, {
      ...TOOLS,
      budget: { executions: 0, steps: 50_000 },
      trace: new RunTrace(() => performance.now()),
      ambient,
      callUpstream: upstream,
      code: null,
      fault: fail,
      ended,
    }).begin()
  })
}

const later =
  (turns: number, outputs: Plain | NodeFailure): RunTools['callUpstream'] =>
  (_asked, done) => {
    let isOver = false
    const wait = (left: number): void => {
      if (isOver) return
      if (left === 0) done(outputs)
      else setImmediate(wait, left - 1)
    }
    setImmediate(wait, turns)
    return () => {
      isOver = true
    }
  }

test('a number of branches is enough for a join that asks for no more; one that cannot have them fails', async () => {
  const graph = (wait: number): Graph => ({
    nodes: [
      HTTP,
      ...['a', 'b', 'c'].map((id) => ({ id, type: 'set_node', inputs: { id } })),
      { id: 'is', type: 'condition_node', inputs: { expression: false } },
      { id: 'join', type: 'join_node', config: { wait } },
      { id: 'ok', type: 'response_node', inputs: { body: '{{ size($.join) }}' } },
    ],
    edges: [
      ...['a', 'b', 'is'].map((to) => ({ from: 'http', to })),
      { from: 'is', handle: 'true', to: 'c' },
      ...['a', 'b', 'c'].map((from) => ({ from, to: 'join' })),
      { from: 'join', to: 'ok' },
    ],
  })
  assert.equal((await run(graph(2))).ok, true)
  const end = await run(graph(3))
  assert.deepEqual(end, {
    ok: false,
    code: 'workflow_failed',
    reason: 'node "join": only 2 branches arrived',
  })
})

test('a join that waits too long fails by its timeout, and a run that takes too long ends', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const graph = (timeout: string, on_error = 'handle'): Graph => ({
    nodes: [
      HTTP,
      { id: 'a', type: 'set_node' },
      { id: 'call', type: 'proxy_node' },
      { id: 'join', type: 'join_node', config: { timeout }, on_error },
      { id: 'ok', type: 'response_node' },
      { id: 'late', type: 'response_node', inputs: { body: '{{ $.join.error.kind }}' } },
    ],
    edges: [
      ...['a', 'call'].map((to) => ({ from: 'http', to })),
      { from: 'a', to: 'join' },
      { from: 'call', handle: 'success', to: 'join' },
      { from: 'join', to: 'ok' },
      { from: 'join', handle: 'error', to: 'late' },
    ],
  })
  let isGivenUp = false
  const never: RunTools['callUpstream'] = () => () => {
    isGivenUp = true
  }
  const short = run(graph('2s'), never)
  t.mock.timers.tick(2000)
  const end = await short
  assert.ok(end.ok && 'answer' in end && end.answer['body'] === 'timeout')
  assert.equal(isGivenUp, true)
  const long = run(graph('60s'), never)
  t.mock.timers.tick(30_000)
  assert.deepEqual(await long, { ok: false, code: 'workflow_failed', reason: 'the run took more than 30 s' })
})

test('repeats wait twice as long each time, and a run executes a bounded number of nodes', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let calls = 0
  const down: RunTools['callUpstream'] = (asked, done) => {
    calls++
    return later(0, new NodeFailure('503', 'down', 'upstream_unavailable'))(asked, done)
  }
  const ended = run(
    {
      nodes: [
        HTTP,
        { id: 'call', type: 'proxy_node', retry: { max: 3, delay: '1s', on: ['503'] } },
        { id: 'ok', type: 'response_node' },
      ],
      edges: [
        { from: 'http', to: 'call' },
        { from: 'call', handle: 'success', to: 'ok' },
      ],
    },
    down,
  )
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 4; turn++) await new Promise((done) => setImmediate(done))
  }
  const seen: number[] = []
  for (const ms of [0, 999, 1, 1999, 1, 3999, 1]) {
    t.mock.timers.tick(ms)
    await settle()
    seen.push(calls)
  }
  assert.deepEqual(seen, [1, 1, 2, 2, 3, 3, 4])
  assert.deepEqual(await ended, { ok: false, code: 'upstream_unavailable', reason: 'node "call": down' })
})

test('a repeat waits as long as the failure says, and is not made if the run would be over before', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let calls = 0
  let retryAfterMs = 5000
  const busy: RunTools['callUpstream'] = (asked, done) => {
    calls++
    return later(0, new NodeFailure('429', 'busy', 'upstream_unavailable', { retryAfterMs }))(asked, done)
  }
  const graph: Graph = {
    nodes: [
      HTTP,
      { id: 'call', type: 'proxy_node', retry: { max: 1, delay: '1s', on: ['429'] } },
      { id: 'ok', type: 'response_node' },
    ],
    edges: [
      { from: 'http', to: 'call' },
      { from: 'call', handle: 'success', to: 'ok' },
    ],
  }
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 4; turn++) await new Promise((done) => setImmediate(done))
  }
  const waiting = run(graph, busy)
  const seen: number[] = []
  for (const ms of [0, 4999, 1]) {
    t.mock.timers.tick(ms)
    await settle()
    seen.push(calls)
  }
  assert.deepEqual(seen, [1, 1, 2])
  const end = { ok: false, code: 'upstream_unavailable', reason: 'node "call": busy' }
  assert.deepEqual(await waiting, { ...end, told: { retryAfterMs } })
  retryAfterMs = 30_000
  assert.deepEqual(await run(graph, busy), { ...end, told: { retryAfterMs } })
  assert.equal(calls, 3)
})

test('outputs that come with a failure are those of the node at its handle error', async () => {
  const graph: Graph = {
    nodes: [
      HTTP,
      { id: 'call', type: 'proxy_node', on_error: 'handle' },
      { id: 'ok', type: 'response_node', inputs: { body: '{{ $.call }}' } },
    ],
    edges: [
      { from: 'http', to: 'call' },
      { from: 'call', handle: 'error', to: 'ok' },
    ],
  }
  const failure = new NodeFailure('schema', 'no', 'workflow_failed', { outputs: { status: 7 } })
  const end = await run(graph, later(0, failure))
  assert.ok(end.ok && 'answer' in end)
  assert.deepEqual(end.answer['body'], { status: 7, error: { kind: 'schema', message: 'no' } })
})

test('a run that is given up tells nobody, and gives up what it has under way', async () => {
  const plan = planned({
    nodes: [HTTP, { id: 'call', type: 'proxy_node' }, { id: 'ok', type: 'response_node' }],
    edges: [
      { from: 'http', to: 'call' },
      { from: 'call', handle: 'success', to: 'ok' },
    ],
  })
  let isGivenUp = false
  const started = new WorkflowRun(plan!, {
    ...TOOLS,
    budget: { executions: 0, steps: 50_000 },
    trace: new RunTrace(() => performance.now()),
    callUpstream: () => () => {
      isGivenUp = true
    },
    fault: (error) => assert.fail(String(error)),
    ended: () => assert.fail('it has ended'),
  })
  started.begin()
  started.abort()
  assert.equal(isGivenUp, true)
})

test('expressions take the clock and chance of their run', async () => {
  const end = await run(
    {
      nodes: [
        HTTP,
        {
          id: 'ok',
          type: 'response_node',
          inputs: { body: ['{{ now() }}', '{{ math.random(100) }}', '{{ uuid() }}'] },
        },
      ],
      edges: [{ from: 'http', to: 'ok' }],
    },
    undefined,
    { now: () => 1000, random: () => 0.999, uuid: () => 'u' },
  )
  assert.ok(end.ok && 'answer' in end)
  assert.deepEqual(end.answer['body'], ['1970-01-01T00:00:01Z', 99, 'u'])
})

/** A random graph whose leaves all meet in one join before the response. */
const GRAPH: fc.Arbitrary<Graph> = fc
  .array(
    fc.record({
      type: fc.constantFrom('set_node', 'condition_node', 'switch_node', 'proxy_node', 'join_node'),
      from: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
      way: fc.nat(),
      yes: fc.boolean(),
      number: fc.integer({ min: 0, max: 9 }),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((drawn) => {
    const made: { id: string; type: string; [name: string]: unknown }[] = [HTTP]
    const edges: { from: string; to: string; handle: string }[] = []
    const handles: Readonly<Record<string, readonly string[]>> = {
      condition_node: ['true', 'false'],
      switch_node: ['default', 'one'],
      proxy_node: ['success'],
    }
    for (const { type, from, way, yes, number } of drawn) {
      const id = `n${made.length}`
      const sources = [...new Set(from.map((at) => made[at % made.length]!))]
      for (const source of type === 'join_node' ? sources : sources.slice(0, 1)) {
        const own = handles[source.type] ?? ['default']
        edges.push({ from: source.id, to: id, handle: own[way % own.length]! })
      }
      const inputs =
        type === 'condition_node'
          ? { expression: yes }
          : type === 'switch_node'
            ? { value: number % 2 }
            : type === 'set_node'
              ? { sum: `{{ $.http.request.body.n + ${number} }}` }
              : {}
      const config = type === 'switch_node' ? { cases: [{ label: 'one', match: 1 }] } : {}
      made.push({ id, type, inputs, config })
    }
    for (const { id, type } of made.slice())
      for (const handle of handles[type] ?? ['default']) edges.push({ from: id, to: 'end', handle })
    const nodes = [
      ...made,
      { id: 'end', type: 'join_node' },
      { id: 'ok', type: 'response_node', inputs: { body: '{{ $.end }}' } },
    ]
    return { nodes, edges: [...edges, { from: 'end', to: 'ok', handle: 'default' }] }
  })

/** What a run gives, worked out step by step: a node runs once no node that may still run leads to it. */
function reference({ nodes, edges }: Graph): unknown {
  const values: Record<string, Plain> = {}
  const taken = new Set<string>(['http'])
  const done = new Set<string>()
  for (;;) {
    const open = nodes.filter(({ id }) => !done.has(id))
    const next = open.find(({ id }) => edges.every(({ from, to }) => to !== id || done.has(from)))
    if (next === undefined) return undefined
    done.add(next.id)
    if (!taken.has(next.id)) continue
    const before = edges.filter(
      (edge) => edge.to === next.id && taken.has(`${edge.from} ${edge.handle} ${edge.to}`),
    )
    const inputs = (next['inputs'] ?? {}) as Plain
    let handle = 'default'
    if (next.type === 'response_node') return values['end']
    if (next.type === 'http_trigger') values[next.id] = { request: REQUEST }
    else if (next.type === 'set_node')
      values[next.id] = { sum: 3 + Number(/\+ (\d+)/.exec(String(inputs['sum']))![1]) }
    else if (next.type === 'condition_node') {
      handle = String(inputs['expression'])
      values[next.id] = { result: inputs['expression'] }
    } else if (next.type === 'switch_node') {
      handle = inputs['value'] === 1 ? 'one' : 'default'
      values[next.id] = { matched_output: handle }
    } else if (next.type === 'proxy_node') {
      handle = 'success'
      values[next.id] = { status: 200 }
    } else values[next.id] = Object.fromEntries(before.map(({ from }) => [from, values[from]!]))
    for (const edge of edges)
      if (edge.from === next.id && edge.handle === handle) {
        taken.add(edge.to)
        taken.add(`${edge.from} ${edge.handle} ${edge.to}`)
      }
  }
}

test('a random graph gives what it gives step by step, in whatever order its calls are answered', async () => {
  let compared = 0
  await fc.assert(
    fc.asyncProperty(GRAPH, fc.infiniteStream(fc.nat({ max: 3 })), async (graph, turns) => {
      if (planned(graph) === null) return
      compared++
      const end = await run(graph, (asked, done) => later(turns.next().value, { status: 200 })(asked, done))
      assert.deepEqual(JSON.parse(JSON.stringify(end)), {
        ok: true,
        answer: {
          status: 200,
          content_type: 'application/json',
          body: JSON.parse(JSON.stringify(reference(graph))),
        },
      })
    }),
    { numRuns: process.env['FUZZ_LONG'] === 'true' ? 5000 : 300 },
  )
  assert.ok(compared > 100, `${compared}`)
})
