/** What many runs leave behind: nothing, however they end. */
import assert from 'node:assert/strict'
import { createHook } from 'node:async_hooks'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { SYSTEM_AMBIENT } from '../../base/expression/expression.ts'
import { collectGarbage } from '../../base/threads/process.ts'
import { WorkflowDefinition } from '../../model/workflow/workflow.ts'
import { NodeFailure } from '../../nodes/run.ts'
import { compilePlan } from '../../snapshot/compile/workflow.ts'
import { linkedPlan } from './linked.ts'
import { type RunTools, WorkflowRun } from './run.ts'
import { RunTrace } from './trace.ts'

const RUNS = 1000
const GRAPH = {
  nodes: [
    { id: 'http', type: 'http_trigger' },
    {
      id: 'call',
      type: 'proxy_node',
      timeout: '40ms',
      retry: { max: 2, delay: '5ms', on: ['timeout', '503'] },
      on_error: 'handle',
    },
    {
      id: 'code',
      type: 'code_node',
      config: { code: '(input) => input' },
      timeout: '30ms',
      on_error: 'fallback',
    },
    { id: 'pause', type: 'delay_node', config: { duration: '20ms' } },
    {
      id: 'wrong',
      type: 'set_node',
      inputs: { n: '{{ 10 / ($.http.request.body.n % 2) }}' },
      on_error: 'handle',
    },
    { id: 'all', type: 'join_node', config: { timeout: '60ms' }, on_error: 'handle' },
    { id: 'ok', type: 'response_node', inputs: { body: '{{ $.http.request.body.n }}' } },
    { id: 'bad', type: 'response_node', inputs: { body: '{{ $.http.request.body.n }}' } },
    { id: 'late', type: 'response_node', inputs: { body: '{{ $.http.request.body.n }}' } },
  ],
  edges: [
    { from: 'http', to: 'call' },
    { from: 'http', to: 'code' },
    { from: 'http', to: 'pause' },
    { from: 'http', to: 'wrong' },
    { from: 'call', handle: 'success', to: 'all' },
    { from: 'call', handle: 'error', to: 'all' },
    { from: 'code', to: 'all' },
    { from: 'pause', to: 'all' },
    { from: 'wrong', to: 'all' },
    { from: 'wrong', handle: 'error', to: 'bad' },
    { from: 'all', to: 'ok' },
    { from: 'all', handle: 'error', to: 'late' },
  ],
}

/** The ways in which a call ends, by its number: at once, later, with a fault, or never. */
function call<Came>(n: number, came: Came, failure: Came, done: (came: Came) => void): () => void {
  const ms = n % 5 === 0 ? -1 : n % 7
  const timer = ms < 0 ? null : setTimeout(done, ms, n % 3 === 0 ? failure : came)
  return () => {
    if (timer !== null) clearTimeout(timer)
  }
}

test('a thousand runs at once, with faults in every node and callers that leave, end each for itself and leave neither a timer nor a value', async () => {
  // Timers of runs do not keep a process alive
  const alive = setInterval(() => {}, 1000)
  const timers = new Set<number>()
  const hook = createHook({
    init: (id, type) => void (type === 'Timeout' && timers.add(id)),
    destroy: (id) => void timers.delete(id),
  }).enable()
  const plan = linkedPlan(JSON.parse(JSON.stringify(compilePlan(WorkflowDefinition.parse(GRAPH)))))
  const answered: unknown[] = []
  const left: WeakRef<object>[] = []
  await new Promise<void>((allEnded) => {
    let open = RUNS
    const one = (): void => {
      if (--open === 0) allEnded()
    }
    for (let n = 0; n < RUNS; n += 1) {
      const request = { body: { n } }
      left.push(new WeakRef(request))
      let calls = n
      const tools: RunTools = {
        request,
        ambient: SYSTEM_AMBIENT,
        caller: { client: 'cli_1', profile: 'pro_1', subject: '', claims: new Map() },
        values: { get: () => null, set: () => false, delete: () => {} },
        isInner: false,
        within: '',
        trace: new RunTrace(() => performance.now()),
        budget: { executions: 0, steps: 50_000 },
        callServer: () => assert.fail('no node of this test calls a server of its own'),
        callTool: () => assert.fail('no tool'),
        runWorkflow: () => assert.fail('no workflow'),
        takeRate: () => assert.fail('nothing is counted'),
        askService: () => assert.fail('no server is asked'),
        callUpstream: (_asked, done) =>
          call<Parameters<typeof done>[0]>(calls++, { status: 200 }, new NodeFailure('503', 'down'), done),
        holder: '',
        code: {
          run: ({ input }, _holder, done) =>
            call<Parameters<typeof done>[0]>(
              n + 1,
              { ok: true, output: input },
              { ok: false, fault: 'error', message: 'no' },
              done,
            ),
        },
        fault: (error) => assert.fail(String(error)),
        ended(end) {
          assert.ok(end.ok && 'answer' in end, JSON.stringify(end))
          assert.equal(end.answer['body'], n)
          answered.push(n)
          one()
        },
      }
      const run = new WorkflowRun(plan, tools)
      run.begin()
      if (n % 10 === 9)
        setTimeout(() => {
          if (!answered.includes(n)) {
            run.abort()
            one()
          }
        }, n % 13)
    }
  })
  assert.ok(answered.length >= RUNS * 0.9, `${answered.length}`)
  assert.equal(new Set(answered).size, answered.length)
  for (let round = 0; round < 5; round += 1) {
    await turn()
    await collectGarbage()
  }
  hook.disable()
  clearInterval(alive)
  assert.equal(timers.size, 0)
  const kept = left.flatMap((one, n) => (one.deref() === undefined ? [] : [n]))
  assert.deepEqual(kept, [])
})
