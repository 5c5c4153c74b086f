/** Workflows and nodes that are tried: with mocks, without effects, and live. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { answer, flow, startFlows } from './flows.ts'

const { server, upstream, endpoint, get, share, record, stop } = await startFlows()
after(stop)
const asked: string[] = []
upstream.answer = ({ method, url }, response) => {
  asked.push(`${method} ${url}`)
  response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":7}')
}
const tried = (input: object, options: object = {}) =>
  server.manage('POST', '/workflows/test', input, options)
const node = (input: object) => server.manage('POST', '/workflows/test_node', input)

const ORDER = flow(
  [
    {
      id: 'check',
      type: 'validate_node',
      config: { schema: { required: ['order'] } },
      inputs: { value: '{{ $.http.request.body }}' },
    },
    {
      id: 'call',
      type: 'proxy_node',
      config: { method: 'POST' },
      inputs: { path: '/v1/orders/{{ $.http.request.body.order }}' },
      on_error: 'handle',
    },
    answer('ok', { body: { id: '{{ $.call.body.id }}', who: '{{ $.http.request.client }}' } }),
    answer('down', { body: { kind: '{{ $.call.error.kind }}' } }, { status: 503 }),
    answer('bad', { body: '{{ $.check.errors }}' }, { status: 422 }),
  ],
  ['http check', 'check valid call', 'check invalid bad', 'call success ok', 'call error down'],
)
const made = await share('Order', ORDER)
assert.equal(made.status, 201, made.text)
const nodesOf = (reply: { json: { nodes: { node: string; source: string; handle: string | null }[] } }) =>
  reply.json.nodes.map(({ node: id, source, handle }) => [id, source, handle])

test('a mock stands in the place of its node, and nothing is called', async () => {
  const good = await tried({
    workflow: 'order',
    request: { method: 'POST', body: { order: 7 }, client: 'acme' },
    mocks: { call: { outputs: { status: 200, headers: {}, body: { id: 'mocked' } } } },
  })
  assert.equal(good.status, 200, good.text)
  assert.deepEqual(
    [good.json.status, good.json.body, good.json.code],
    [200, { id: 'mocked', who: 'acme' }, null],
  )
  assert.deepEqual(nodesOf(good), [
    ['http', 'run', 'default'],
    ['check', 'run', 'valid'],
    ['call', 'mock', 'success'],
    ['ok', 'run', null],
  ])
  assert.deepEqual(
    good.json.trace.nodes.map(({ node: id, handle }: { node: string; handle: string }) => [id, handle]),
    [
      ['http', 'default'],
      ['check', 'valid'],
      ['call', 'success'],
      ['ok', null],
    ],
  )
  const down = await tried({
    definition: ORDER,
    request: { body: { order: 7 } },
    mocks: { call: { error: { kind: 'timeout' } } },
  })
  assert.deepEqual([down.json.status, down.json.body], [503, { kind: 'timeout' }])
  assert.deepEqual(asked, [])
})

test('a node with effects that has no mock is simulated, also in an inner workflow', async () => {
  const outer = flow(
    [
      {
        id: 'inner',
        type: 'subworkflow_node',
        config: { workflow: 'order' },
        inputs: { input: { order: 1 } },
      },
      { id: 'call', type: 'proxy_node' },
      answer('ok', { body: { inner: '{{ $.inner.status }}', own: '{{ $.call.status }}' } }),
    ],
    ['http inner', 'inner success call', 'call success ok'],
  )
  const reply = await tried({ definition: outer })
  // The simulated answer has no body, so the inner workflow fails
  assert.deepEqual([reply.json.status, reply.json.code], [500, 'workflow_failed'])
  assert.match(reply.json.reason, /node "inner": node "ok"/)
  const sources = reply.json.nodes.map(({ node: id, within, source }: Record<string, string>) => [
    within,
    id,
    source,
  ])
  assert.deepEqual(sources.slice(1, 4), [
    ['inner[0]', 'http', 'run'],
    ['inner[0]', 'check', 'run'],
    ['inner[0]', 'call', 'simulated'],
  ])
  const alone = await tried({
    definition: flow(
      [
        { id: 'call', type: 'proxy_node' },
        answer('ok', {
          status: '{{ $.call.status }}',
          headers: '{{ $.call.headers }}',
          body: '{{ $.call.body }}',
        }),
      ],
      ['http call', 'call success ok'],
    ),
  })
  assert.deepEqual([alone.json.status, nodesOf(alone)[1]], [200, ['call', 'simulated', 'success']])
  assert.deepEqual(asked, [])
})

test('counters and kept values of a trial are its own', async () => {
  const peek = flow(
    [
      { id: 'rate', type: 'rate_limit_node', config: { max: 1, window: '1h' }, inputs: { key: 'a' } },
      { id: 'read', type: 'cache_node', config: { op: 'get' }, inputs: { key: 'k' } },
      {
        id: 'keep',
        type: 'cache_node',
        config: { op: 'set', ttl: '1h' },
        inputs: { key: 'k', value: 'kept' },
      },
      answer('hit', { body: 'hit' }),
      answer('miss', { body: 'miss' }),
      answer('limited', { body: 'limited' }, { status: 429 }),
    ],
    ['http rate', 'rate true read', 'rate false limited', 'read hit hit', 'read miss keep', 'keep miss'],
  )
  await share('Peek', peek)
  const path = await endpoint('peek')
  const trial = async () => (await tried({ workflow: 'peek' })).json.body
  assert.deepEqual([await trial(), await trial()], ['miss', 'miss'])
  assert.equal((await get(path)).json, 'miss')
  assert.equal((await get(path)).status, 429)
  assert.equal(await trial(), 'miss')
})

test('a failing trial names node and cause, and a definition with faults is refused', async () => {
  const failing = flow(
    [{ id: 'bad', type: 'set_node', inputs: { x: '{{ $.http.request.body.a.b }}' } }, answer('ok', {})],
    ['http bad', 'bad ok'],
  )
  const reply = await tried({ definition: failing, request: { body: { a: 1 } } })
  assert.deepEqual([reply.json.status, reply.json.code], [500, 'workflow_failed'])
  assert.match(reply.json.reason, /^node "bad": /)
  const faulty = await tried({ definition: { nodes: [{ id: 'x', type: 'no_node' }] } })
  assert.deepEqual([faulty.status, faulty.json.code], [422, 'configuration_invalid'])
  for (const [mocks, reason] of [
    [{ none: {} }, /there is no node "none"/],
    [{ ok: {} }, /ends the run/],
    [{ check: { handle: 'true' } }, /is left by valid, invalid/],
  ] as const) {
    const refused = await tried({ workflow: 'order', mocks })
    assert.equal(refused.status, 400)
    assert.match(refused.json.detail, reason)
  }
  const dry = await server.manage('POST', '/workflows/test?dry_run=true', { workflow: 'order' })
  assert.equal(dry.status, 400)
})

test('a live run is a request to the proxy with a record, takes mocks, and needs workflows:execute', async () => {
  const path = await endpoint('order')
  const proxy = `orders:${path.slice('/orders/v1/'.length)}`
  const request = { method: 'POST', path, body: { order: 7 }, client: 'acme', profile: 'acme:sandbox' }
  asked.length = 0
  const modifier = await server.running.issueToken({ role: 'modifier', ttl: '1h', name: 'builder' })
  const refused = await tried({ proxy, request, live: true }, { token: modifier.token })
  assert.deepEqual([refused.status, refused.json.code], [403, 'permission_denied'])
  assert.match(refused.json.detail, /workflows:execute/)
  assert.equal(
    (await tried({ proxy, request: { ...request, body: {} } }, { token: modifier.token })).json.status,
    422,
  )
  assert.deepEqual(asked, [])
  const live = await tried({ proxy, request, live: true })
  assert.equal(live.status, 200, live.text)
  assert.deepEqual([live.json.status, live.json.body], [200, { id: 7, who: 'acme' }])
  assert.deepEqual(asked, ['POST /v1/orders/7'])
  const kept = await record(live.json.request_id)
  assert.deepEqual(
    [kept.status, kept.client_slug, kept.proxy_slug],
    [200, 'acme', proxy.slice('orders:'.length)],
  )
  assert.deepEqual(kept.workflow_trace, live.json.trace)
  const mocked = await tried({ proxy, request, live: true, mocks: { call: { error: { kind: '503' } } } })
  assert.deepEqual([mocked.json.status, mocked.json.body], [503, { kind: '503' }])
  assert.equal(asked.length, 1)
  await server.manage('POST', '/profiles/acme:sandbox/toggle', { status: 'inactive' })
  const inactive = await tried({ proxy, request, live: true })
  assert.deepEqual([inactive.json.status, inactive.json.code], [403, 'profile_inactive'])
  await server.manage('POST', '/profiles/acme:sandbox/toggle', { status: 'active' })
  assert.equal(asked.length, 1)
  const audit = await server.manage('GET', '/audit?operation=workflows.test&limit=50')
  assert.ok(audit.json.items.some(({ outcome }: { outcome: string }) => outcome === 'denied'))
  const entry = audit.json.items.find(
    ({ request_id }: { request_id: string }) => request_id === live.json.request_id,
  )
  assert.equal(entry.outcome, 'ok')
  assert.doesNotMatch(JSON.stringify(entry), /"order":7/)
})

test('a node runs alone with sample outputs of the nodes before it', async () => {
  const set = await node({
    type: 'set_node',
    inputs: { total: '{{ $.call.body.price * 2 }}', of: '{{ $.http.request.path }}' },
    context: { call: { body: { price: 21 } }, http: { request: { path: '/x' } } },
  })
  assert.equal(set.status, 200, set.text)
  assert.deepEqual(
    [set.json.handle, set.json.outputs, set.json.source],
    ['default', { total: 42, of: '/x' }, 'run'],
  )
  const stored = await node({
    workflow: 'order',
    node: 'check',
    context: { http: { request: { body: {} } } },
  })
  assert.deepEqual([stored.json.handle, stored.json.outputs.errors.length], ['invalid', 1])
  const effect = await node({ type: 'proxy_node' })
  assert.deepEqual([effect.json.source, effect.json.handle], ['simulated', 'success'])
  const failed = await node({
    type: 'set_node',
    inputs: { x: '{{ $.call.body.nothing }}' },
    context: { call: { body: {} } },
  })
  assert.deepEqual([failed.json.handle, failed.json.error.kind], [null, 'expression'])
  const trigger = await node({ workflow: 'order', node: 'http', request: { query: { a: '1' } } })
  assert.deepEqual(trigger.json.outputs.request.query, { a: '1' })
  const code = await node({ type: 'code_node', config: { code: '(n) => n + 1' }, inputs: { input: 1 } })
  assert.deepEqual(code.json.outputs, { value: 2 })
  assert.equal((await node({ type: 'none_node' })).status, 422)
  assert.equal((await node({ workflow: 'order', node: 'none' })).status, 400)
})

test('a workflow with a manual_trigger is run by trials alone', async () => {
  const byHand = {
    nodes: [
      { id: 'start', type: 'manual_trigger', config: { sample: { order: 7 } } },
      answer('ok', { body: { order: '{{ $.start.trigger.order }}', at: '{{ $.start.triggered_at }}' } }),
    ],
    edges: [{ from: 'start', to: 'ok' }],
  }
  const path = await endpoint('order')
  const proxy = `orders:${path.slice('/orders/v1/'.length)}`
  const live = {
    proxy,
    live: true,
    request: { path, method: 'POST', client: 'acme', profile: 'acme:sandbox' },
  }
  for (const [input, order] of [
    [{}, 7],
    [{ request: { body: { order: 8 } } }, 8],
    [live, 7],
    [{ ...live, request: { ...live.request, body: { order: 9 } } }, 9],
  ] as const) {
    const { json, text } = await tried({ definition: byHand, ...input })
    assert.equal(json.body?.order, order, text)
    assert.match(json.body.at, /^20\d\d-.*Z$/)
  }
  assert.equal((await share('By hand', byHand)).status, 201)
  const published = await server.manage('POST', '/proxies', {
    ...{ collection: 'orders', name: 'By hand', methods: ['POST'], path: '/v1/by-hand', status: 'published' },
    workflow: 'by-hand',
  })
  assert.deepEqual([published.status, published.json.code], [422, 'configuration_invalid'])
  assert.match(published.json.detail, /it starts by hand: it has a manual_trigger\. Use an http_trigger/)
  const changed = await server.manage('PATCH', '/workflows/order', { definition: byHand })
  assert.match(changed.json.detail, /The published proxy .* runs this workflow, and it starts by hand/)
  const within = flow(
    [{ id: 'inner', type: 'subworkflow_node', config: { workflow: 'by-hand' } }, answer('ok', {})],
    ['http inner', 'inner success ok'],
  )
  const outer = await tried({ definition: within })
  assert.match(outer.json.detail, /it runs .*by-hand.*, which starts by hand/)
})

test('outputs that hold one list at many places are not written, and the gateway goes on', async () => {
  const steps = Array.from({ length: 60 }, (_, at) => ({
    id: `s${at}`,
    type: 'set_node',
    inputs: { a: at === 0 ? ['x'] : `{{ [$.s${at - 1}.a, $.s${at - 1}.a] }}` },
  }))
  const ways = steps.slice(1).map((_, at) => `s${at} s${at + 1}`)
  const grown = flow(
    [...steps, answer('ok', { body: '{{ size($.s59.a) }}' })],
    ['http s0', ...ways, 's59 ok'],
  )
  const reply = await tried({ definition: grown })
  assert.deepEqual([reply.json.status, reply.json.body], [200, 2], reply.text.slice(0, 500))
  const outputs = reply.json.nodes.map((one: { outputs: unknown }) => one.outputs)
  assert.deepEqual(outputs[3], {
    a: [
      [['x'], ['x']],
      [['x'], ['x']],
    ],
  })
  assert.equal(outputs[59], null)
})
