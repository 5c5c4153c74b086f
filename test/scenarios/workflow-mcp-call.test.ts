/** Tools of origins in workflows: both eras of MCP, failures, the record and the limits of the call. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Fixture, startFixture } from '../mcp/fixture/fixture.ts'
import { startScriptedOrigin } from '../mcp/scripted-origin.ts'
import { eventually } from '../support/eventually.ts'
import { answer, type Definition, flow, startFlows } from './flows.ts'
import { call } from './server.ts'

const { server, token, addProxy, endpoint, get, post, share, record, executeCall, stop } = await startFlows()
const ERAS = ['modern', 'legacy'] as const
const fixtures = {} as Record<(typeof ERAS)[number], Fixture>

async function make(path: string, body: object) {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
  return made.json
}

before(async () => {
  for (const eras of ERAS) {
    fixtures[eras] = await startFixture({ eras })
    await make('/origins', { name: eras, slug: eras, url: fixtures[eras].url })
  }
})
after(async () => {
  await stop()
  for (const era of ERAS) await fixtures[era]?.[Symbol.asyncDispose]()
})

/** Calls a tool with the members of the body, and answers with all that comes of it. */
const calling = (origin: string, tool: string, more: object = {}, inputs?: object): Definition =>
  flow(
    [
      {
        id: 'call',
        type: 'mcp_call_node',
        config: { origin, tool },
        inputs: inputs ?? { arguments: '{{ $.http.request.body }}' },
        ...more,
      },
      answer('ok', { body: '{{ $.call }}' }),
      answer('bad', { body: '{{ $.call }}' }, { status: 422 }),
    ],
    ['http call', 'call success ok', 'call error bad'],
  )

for (const era of ERAS) {
  test(`a node calls a tool of an origin of the ${era} era, over REST and for agents`, async () => {
    const path = await endpoint(calling(era, 'test_echo'))
    const { status, json } = await post(path, { text: 'tea', list: [1, 2] })
    assert.equal(status, 200)
    assert.deepEqual(json, {
      content: [{ type: 'text', text: '{"text":"tea","list":[1,2]}' }],
      structured: { args: { text: 'tea', list: [1, 2] } },
      is_error: false,
    })
    const agent = await executeCall({ endpoint: `POST ${path}`, params: { body: { text: 'agent' } } })
    assert.deepEqual([agent.status, agent.body?.structured], [200, { args: { text: 'agent' } }])
  })

  test(`large content, images and resources of an origin of the ${era} era reach the workflow`, async () => {
    const text = 'x'.repeat(700_000)
    const large = await post(await endpoint(calling(era, 'test_echo')), { text })
    assert.equal(large.json.structured.args.text, text)
    const mixed = await post(await endpoint(calling(era, 'test_multiple_content_types')), {})
    assert.deepEqual(
      mixed.json.content.map(({ type }: { type: string }) => type),
      ['text', 'image', 'resource'],
    )
    assert.equal(mixed.json.structured, null)
  })

  test(`a tool of the ${era} era that reports an error is no failure, unless the node handles errors`, async () => {
    const plain = await post(await endpoint(calling(era, 'test_error_handling')), {})
    assert.deepEqual([plain.status, plain.json.is_error], [200, true])
    const handled = await post(
      await endpoint(calling(era, 'test_error_handling', { on_error: 'handle' })),
      {},
    )
    assert.equal(handled.status, 422)
    assert.deepEqual(handled.json.error, { kind: 'tool_error', message: 'its response reports a failure' })
    assert.match(handled.json.content[0].text, /intentionally returns an error/)
  })

  test(`an origin of the ${era} era that asks its client for input fails the node with a reason`, async () => {
    const tool = era === 'modern' ? 'test_input_required_result_elicitation' : 'test_elicitation'
    const path = await endpoint(calling(era, tool))
    const body = era === 'modern' ? {} : { message: 'Which?' }
    const failed = await post(path, body)
    assert.deepEqual([failed.status, failed.json.code], [502, 'upstream_invalid_response'], failed.text)
    const { reason } = await record(failed.json.request_id)
    assert.match(reason, /^node "call": upstream_invalid_response: .*ask.*(client|elicitation)/)
  })

  test(`a timeout of a node gives up the call at an origin of the ${era} era`, async () => {
    const before = fixtures[era].cancelled.length
    const path = await endpoint(calling(era, 'test_slow', { timeout: '300ms' }))
    const slow = await post(path, { ms: 30_000 })
    assert.deepEqual([slow.status, slow.json.code], [500, 'workflow_failed'])
    await eventually(() => Promise.resolve(fixtures[era].cancelled.length === before + 1))
    assert.equal((await post(path, { ms: 0 })).status, 200)
  })
}

test('calls side by side in one session of an origin get their own results', async () => {
  const one = (id: string) => ({
    id,
    type: 'mcp_call_node',
    config: { origin: 'legacy', tool: 'test_echo' },
    inputs: { arguments: { id } },
  })
  const path = await endpoint(
    flow(
      [
        one('a'),
        one('b'),
        { id: 'both', type: 'join_node' },
        answer('ok', { body: ['{{ $.a.structured.args.id }}', '{{ $.b.structured.args.id }}'] }),
      ],
      ['http a', 'http b', 'a success both', 'b success both', 'both ok'],
    ),
  )
  for (let n = 0; n < 4; n++) assert.deepEqual((await get(path)).json, ['a', 'b'])
})

test('arguments that do not fit the schema of the tool are refused without asking the origin', async () => {
  const path = await endpoint(calling('modern', 'test_slow', { on_error: 'handle' }))
  fixtures.modern.forgetRequests()
  const wrong = await post(path, { ms: 'soon' })
  assert.equal(wrong.status, 422)
  assert.deepEqual(wrong.json.error, { kind: 'arguments', message: 'arguments/ms must be integer' })
  assert.deepEqual((await post(path, [1])).json.error, {
    kind: 'arguments',
    message: 'arguments are no object',
  })
  assert.deepEqual(
    fixtures.modern.requests.filter(({ rpcMethod }) => rpcMethod === 'tools/call'),
    [],
  )
})

test('the origin gets the headers of its revision, the request id and the trace, and never the token of the caller', async () => {
  const path = await endpoint(calling('modern', 'test_header_parameter'))
  fixtures.modern.forgetRequests()
  const reply = await call('POST', `${server.running.gatewayUrl}${path}`, {
    token,
    headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
    body: { region: 'north', query: 'q' },
  })
  assert.equal(reply.json.content[0].text, 'region north', reply.text)
  const [sent] = fixtures.modern.requests.filter(({ rpcMethod }) => rpcMethod === 'tools/call')
  assert.equal(sent!.headers['mcp-param-region'], 'north')
  assert.equal(sent!.headers['authorization'], undefined)
  assert.equal(sent!.headers['x-request-id'], reply.headers.get('x-request-id'))
  assert.match(sent!.headers['traceparent']!, /^00-0af7651916cd43dd8448eb211c80319c-/)
})

test('the record of the request has the server, the times and the status of the call, and the call has no record of its own', async () => {
  const path = await endpoint(calling('legacy', 'test_echo'))
  const reply = await post(path, { n: 1 })
  const one = await record(reply.headers.get('x-request-id')!)
  assert.equal(one.upstream_target, new URL(fixtures.legacy.url).origin)
  assert.deepEqual([one.upstream_status, one.status, one.surface], [200, 200, 'gateway'])
  assert.ok(one.upstream_ms >= 0)
  const all = await server.manage('GET', '/records?origin=legacy')
  assert.deepEqual(all.json.items, [])
})

test('the limits of the origin count calls of workflows, and those of the caller count the request once', async () => {
  const limited = await startFixture({ eras: 'modern' })
  try {
    const limits = [{ name: 'minute', kind: 'rate', max: 2, window: '1m' }]
    await make('/policies', { name: 'Two', slug: 'two', limits })
    await make('/origins', { name: 'Limited', slug: 'limited', url: limited.url, policy: 'two' })
    const path = await endpoint(calling('limited', 'test_echo'), { policy: 'two' })
    assert.equal((await post(path, {})).status, 200)
    // A second proxy has a counter of its own; the origin has one for the client
    const other = await endpoint(calling('limited', 'test_echo'))
    assert.equal((await post(other, {})).status, 200)
    const third = await post(other, {})
    assert.deepEqual([third.status, third.json.code], [429, 'rate_limit_exceeded'], third.text)
    assert.ok(Number(third.headers.get('retry-after')) > 0)
    const { reason, check } = await record(third.json.request_id)
    assert.match(reason, /^node "call": rate_limit_exceeded: The origin is limited to 2 requests in 60 s/)
    assert.equal(check, 'workflow')
    const own = await post(path, {})
    assert.match(
      (await record(own.json.request_id)).reason,
      /^node "call"/,
      'the limit of the proxy has room for it',
    )
  } finally {
    await limited[Symbol.asyncDispose]()
  }
})

test('an origin that is down fails the node, a retry asks again, and the branch for errors goes on', async () => {
  let calls = 0
  const origin = await startScriptedOrigin(({ end, out }) => {
    if (++calls === 1) out.destroy()
    else end('done')
  })
  await make('/origins', { name: 'Shaky', slug: 'shaky', url: origin.url })
  const retry = { max: 2, delay: '10ms', on: ['502', 'timeout'] }
  const path = await endpoint(calling('shaky', 'work', { retry }))
  const again = await post(path, {})
  assert.deepEqual([again.status, again.json?.content?.[0]?.text], [200, 'done'], again.text)
  assert.equal(calls, 2)
  const handled = await endpoint(calling('shaky', 'work', { on_error: 'handle' }))
  await origin[Symbol.asyncDispose]()
  const down = await post(handled, {})
  assert.equal(down.status, 422, down.text)
  assert.match(down.json.error.kind, /^50[23]$/)
  assert.match(down.json.error.message, /The origin "shaky" did not answer the call/)
})

test('a caller who leaves gives the call up', async () => {
  const path = await endpoint(calling('legacy', 'test_slow'))
  const before = fixtures.legacy.cancelled.length
  const leaving = new AbortController()
  const sent = fetch(`${server.running.gatewayUrl}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{"ms":31000}',
    signal: leaving.signal,
  })
  await eventually(() =>
    Promise.resolve(fixtures.legacy.requests.some(({ body }) => body.includes('"ms":31000'))),
  )
  leaving.abort()
  await assert.rejects(sent)
  await eventually(() => Promise.resolve(fixtures.legacy.cancelled.length === before + 1))
})

test('a tool that the origin withdraws or changes, and an origin that is switched off, fail the node plainly', async () => {
  const own = await startFixture({ eras: 'modern' })
  try {
    await make('/origins', { name: 'Own', slug: 'own', url: own.url })
    const free = await endpoint(calling('own', 'test_echo', { on_error: 'handle' }))
    const pin = (await server.manage('GET', '/origins/own/catalog')).json.hashes.test_echo
    const wrong = { config: { origin: 'own', tool: 'test_echo', pin: 'x'.repeat(43) } }
    const { json } = await server.manage('POST', '/workflows/validate', {
      definition: calling('own', '', wrong),
    })
    assert.match(json.findings[0].message, new RegExp(` its hash is ${pin.replace('.', '\\.')} now$`))
    const pinned = await endpoint(
      calling('own', 'test_echo', { on_error: 'handle', config: { origin: 'own', tool: 'test_echo', pin } }),
    )
    // As earlier versions showed it, without the metadata
    const base = { origin: 'own', tool: 'test_echo', pin: pin.split('.')[0] }
    const ofBase = await endpoint(calling('own', 'test_echo', { on_error: 'handle', config: base }))
    for (const one of [free, pinned, ofBase]) assert.equal((await post(one, {})).status, 200)

    const refusal = {
      kind: 'tool',
      message: 'the origin "own" has changed the tool "test_echo" since it was pinned',
    }
    own.catalogue.changeTool('test_echo', { _meta: { ui: { resourceUri: 'ui://own/other' } } })
    assert.equal((await server.manage('POST', '/origins/own/refresh_catalog', {})).status, 200)
    for (const one of [free, ofBase]) assert.equal((await post(one, {})).status, 200)
    assert.deepEqual((await post(pinned, {})).json.error, refusal)

    own.catalogue.changeTool('test_echo', { description: 'Now it does more.' })
    assert.equal((await server.manage('POST', '/origins/own/refresh_catalog', {})).status, 200)
    assert.equal((await post(free, {})).status, 200)
    for (const one of [pinned, ofBase]) assert.deepEqual((await post(one, {})).json.error, refusal)

    own.catalogue.removeTool('test_echo')
    assert.equal((await server.manage('POST', '/origins/own/refresh_catalog', {})).status, 200)
    assert.equal((await post(free, {})).json.error.message, 'the origin "own" has no tool "test_echo"')

    const off = await server.manage('POST', '/origins/own/toggle', { active: false })
    assert.equal(off.status, 200, off.text)
    assert.equal((await post(free, {})).json.error.message, 'the origin "own" is inactive')
  } finally {
    await own[Symbol.asyncDispose]()
  }
})

test('an origin in use keeps its workflows over a rename, and cannot be deleted', async () => {
  const own = await startFixture({ eras: 'modern' })
  try {
    await make('/origins', { name: 'Kept', slug: 'kept', url: own.url })
    const path = await endpoint(calling('kept', 'test_echo'))
    const shared = await share('Uses kept', calling('kept', 'test_echo'))
    assert.deepEqual(
      shared.json.warnings?.filter(({ reason }: { reason: string }) => !/no edge/.test(reason)) ?? [],
      [],
    )
    assert.equal((await server.manage('PATCH', '/origins/kept', { slug: 'kept-on' })).status, 200)
    assert.equal((await post(path, {})).status, 200)
    const stored = await server.manage('GET', '/workflows/uses-kept')
    assert.equal(stored.json.definition.nodes[1].config.origin, 'kept-on')
    const deleted = await server.manage('DELETE', '/origins/kept-on?confirm=kept-on')
    assert.equal(deleted.json.code, 'in_use', deleted.text)
    assert.ok(deleted.json.used_by.includes('workflows/uses-kept'))
  } finally {
    await own[Symbol.asyncDispose]()
  }
})

test('a definition is judged by the catalogue of the origin before a proxy is published with it', async () => {
  for (const [node, pointer, message] of [
    [
      { config: { origin: 'modern', tool: 'nothing' } },
      '/workflow/nodes/1/config/tool',
      'the origin "modern" has no tool "nothing"',
    ],
    [
      { config: { origin: 'modern', tool: 'test_slow' }, inputs: { arguments: { ms: -1 } } },
      '/workflow/nodes/1/inputs/arguments',
      'arguments/ms must be >= 0',
    ],
    [
      { config: { origin: 'modern', tool: 'test_slow', as: 'user' } },
      '/workflow/nodes/1/config/as',
      'the origin "modern" has one account for all callers; set as to shared',
    ],
  ] as const) {
    const made = await addProxy('Faulty', {
      methods: ['GET'],
      path: '/v1/faulty',
      workflow: calling('', '', node),
    })
    assert.equal(made.json.code, 'configuration_invalid', made.text)
    assert.deepEqual(made.json.errors, [{ pointer, reason: message }])
  }
  const nowhere = await addProxy('Nowhere', {
    methods: ['GET'],
    path: '/v1/nowhere',
    workflow: calling('nowhere', 'x'),
  })
  assert.equal(nowhere.json.code, 'input_invalid', nowhere.text)
})

test('the template mcp-bridge puts a tool behind a REST endpoint', async () => {
  const made = await addProxy('Bridge', {
    slug: 'bridge',
    methods: ['GET', 'POST'],
    path: '/v1/bridge/{city}',
  })
  assert.equal(made.status, 201, made.text)
  const apply = (parameters: object) =>
    server.manage('POST', '/proxies/apply_template', {
      template: 'mcp-bridge',
      parameters,
      proxies: ['orders:bridge'],
    })
  const typed = { city: '{{ $.http.request.path_params.city }}', days: 3 }
  const applied = await apply({ origin: 'legacy', tool: 'test_echo', arguments: typed })
  assert.equal(applied.status, 200, applied.text)
  assert.deepEqual(applied.json.findings, [])
  assert.deepEqual((await get('/orders/v1/bridge/Bern')).json, { args: { city: 'Bern', days: 3 } })

  assert.equal((await apply({ origin: 'modern', tool: 'test_simple_text' })).status, 200)
  const plain = await post('/orders/v1/bridge/x', {})
  assert.deepEqual(plain.json, {
    content: [{ type: 'text', text: 'This is a simple text response for testing.' }],
  })
  assert.equal((await apply({ origin: 'modern', tool: 'test_error_handling' })).status, 200)
  const failed = await post('/orders/v1/bridge/x', {})
  assert.deepEqual([failed.status, failed.json.code], [422, 'tool_error'], failed.text)
  const faulty = await apply({ origin: 'modern', tool: 'gone' })
  assert.equal(faulty.json.code, 'configuration_invalid', faulty.text)
})
