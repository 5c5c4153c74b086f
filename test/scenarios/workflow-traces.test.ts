/** What request records tell of the nodes of a workflow. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { runCommand } from './cli.ts'
import { answer, flow, startFlows } from './flows.ts'

const { server, upstream, endpoint, get, post, share, record, stop } = await startFlows()
after(stop)
const SECRET = 'pst_pk_abcdefgh_12345678901234567890_abcdef'

interface Step {
  readonly node: string
  readonly within: string | null
  readonly type: string
  readonly start_ms: number
  readonly duration_ms: number
  readonly handle: string | null
  readonly attempts: number
  readonly error: string | null
}
async function traceOf(reply: { readonly headers: Headers }): Promise<readonly Step[]> {
  const { workflow_trace } = await record(reply.headers.get('x-request-id')!)
  return workflow_trace.nodes
}
const shown = (steps: readonly Step[]) =>
  steps.map(({ node, handle, attempts, error }) => [node, handle, attempts, error])

const TRIED = flow(
  [
    { id: 'is', type: 'condition_node', inputs: { expression: '{{ $.http.request.body.ok }}' } },
    {
      id: 'call',
      type: 'proxy_node',
      config: { method: 'GET' },
      inputs: { path: '/flaky', body: null },
      retry: { max: 2, delay: '1ms', on: ['503'] },
      on_error: 'handle',
    },
    {
      id: 'bad',
      type: 'set_node',
      inputs: { value: '{{ $.http.request.body.missing }}' },
      on_error: 'fallback',
      fallback: 1,
    },
    answer('ok', { body: '{{ $.call.body }}' }),
    answer('failed', { body: null }, { status: 502 }),
    answer('no', { body: '{{ $.bad.value }}' }, { status: 422 }),
  ],
  ['http is', 'is true call', 'is false bad', 'call success ok', 'call error failed', 'bad no'],
)

test('the record of a call has its nodes in order, with handles, attempts and kinds of failures', async () => {
  const path = await endpoint(TRIED)
  let left = 2
  upstream.answer = (_request, response) => {
    response.writeHead(left-- > 0 ? 503 : 200, { 'content-type': 'application/json' }).end('{"id":1}')
  }
  const good = await post(path, { ok: true })
  assert.equal(good.status, 200)
  const steps = await traceOf(good)
  assert.deepEqual(shown(steps), [
    ['http', 'default', 1, null],
    ['is', 'true', 1, null],
    ['call', 'success', 3, null],
    ['ok', null, 1, null],
  ])
  assert.deepEqual(
    steps.map(({ type }) => type),
    ['http_trigger', 'condition_node', 'proxy_node', 'response_node'],
  )
  const call = steps[2]!
  assert.ok(steps[3]!.start_ms >= call.start_ms + call.duration_ms)
  const fallback = await post(path, { ok: false })
  assert.deepEqual(shown(await traceOf(fallback)), [
    ['http', 'default', 1, null],
    ['is', 'false', 1, null],
    ['bad', 'default', 1, 'expression'],
    ['no', null, 1, null],
  ])
  left = 5
  const failed = await post(path, { ok: true })
  assert.deepEqual(shown(await traceOf(failed)).slice(2), [
    ['call', 'error', 3, '503'],
    ['failed', null, 1, null],
  ])
})

test('a forwarded call and a run that fails have traces, and a call without a workflow has none', async () => {
  upstream.answer = (_request, response) => void response.writeHead(200).end('whole')
  const path = await endpoint(
    flow(
      [
        { id: 'call', type: 'proxy_node', inputs: { path: '/plain' } },
        answer('ok', {
          status: '{{ $.call.status }}',
          headers: '{{ $.call.headers }}',
          body: '{{ $.call.body }}',
        }),
      ],
      ['http call', 'call success ok'],
    ),
  )
  assert.deepEqual(shown(await traceOf(await get(path))), [
    ['http', 'default', 1, null],
    ['call', 'success', 1, null],
  ])
  upstream.answer = (_request, response) => void response.destroy()
  assert.deepEqual(shown(await traceOf(await get(path))).at(-1), ['call', null, 1, 'upstream_unreachable'])
  const failing = await endpoint(
    flow(
      [
        { id: 'bad', type: 'set_node', inputs: { value: '{{ $.http.request.query.missing }}' } },
        answer('ok', {}),
      ],
      ['http bad', 'bad ok'],
    ),
  )
  const failed = await get(failing)
  assert.equal(failed.status, 500)
  assert.deepEqual(shown(await traceOf(failed)), [
    ['http', 'default', 1, null],
    ['bad', null, 1, 'expression'],
  ])
  upstream.answer = (_request, response) => void response.writeHead(200).end('{}')
  const plain = await get('/orders/v1/orders/7')
  assert.equal((await record(plain.headers.get('x-request-id')!)).workflow_trace, null)
})

test('branches that the run did not wait for are unfinished, and inner runs say of which node they are', async () => {
  await share('Inner', flow([answer('done', { body: '{{ $.http.request.body }}' })], ['http done']))
  const path = await endpoint(
    flow(
      [
        { id: 'slow', type: 'delay_node', config: { duration: '10s' } },
        { id: 'join', type: 'join_node', config: { wait: 1 } },
        { id: 'each', type: 'foreach_node', config: { workflow: 'inner' }, inputs: { items: ['a', 'b'] } },
        answer('ok', { body: '{{ $.join.each.items.map(i, i.body) }}' }),
      ],
      ['http slow', 'http each', 'slow join', 'each success join', 'join ok'],
    ),
  )
  const reply = await get(path)
  assert.deepEqual(reply.json, ['a', 'b'])
  const steps = await traceOf(reply)
  assert.deepEqual(
    steps.filter(({ within }) => within !== null).map(({ within, node }) => [within, node]),
    [
      ['each[0]', 'http'],
      ['each[0]', 'done'],
      ['each[1]', 'http'],
      ['each[1]', 'done'],
    ],
  )
  assert.deepEqual(shown(steps.filter(({ node }) => node === 'slow')), [['slow', null, 1, 'unfinished']])
})

test('no value of a request stands in a trace, and every interface shows the trace of one record', async () => {
  upstream.answer = (_request, response) => void response.writeHead(500).end(SECRET)
  const path = await endpoint(TRIED)
  const reply = await post(path, { ok: true, note: SECRET })
  const id = reply.headers.get('x-request-id')!
  const whole = await record(id)
  assert.equal(whole.workflow_trace.nodes.length, 4)
  assert.doesNotMatch(JSON.stringify(whole.workflow_trace), /pst_pk|note/)
  const list = await server.manage('GET', `/records?request_id=${id}`)
  assert.equal(list.json.items[0].id, id)
  assert.equal('workflow_trace' in list.json.items[0], false)
  const told = await runCommand(server.data, ['records', 'get', id, '-o', 'json'])
  assert.deepEqual(JSON.parse(told.out).workflow_trace, whole.workflow_trace)
  const tool = await server.manage('POST', '/../mcp', { tool: 'get_request_log', id })
  assert.deepEqual(tool.json.result.workflow_trace, whole.workflow_trace)
})
