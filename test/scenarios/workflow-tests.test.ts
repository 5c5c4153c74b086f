/** Tests that are saved with workflows, and hold back what fails them. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { runCommand } from './cli.ts'
import { answer, type Definition, flow, startFlows } from './flows.ts'

const { server, upstream, addProxy, get, share, stop } = await startFlows()
after(stop)
let calls = 0
upstream.answer = (_request, response) => {
  calls++
  response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":9}')
}

/** Answers with the id of an order, and tests that. */
const tested = (pointer: string, more: object = {}): Definition & { readonly tests: readonly object[] } => ({
  ...flow(
    [
      { id: 'call', type: 'proxy_node', inputs: { path: '/order' } },
      { id: 'is', type: 'condition_node', inputs: { expression: '{{ $.call.body.id > 5 }}' } },
      answer('big', { body: { id: '{{ $.call.body.id }}' } }),
      answer('small', { body: null }, { status: 404 }),
    ],
    ['http call', 'call success is', 'is true big', 'is false small'],
  ),
  tests: [
    {
      name: 'finds a big order',
      gate: true,
      mocks: { call: { outputs: { status: 200, headers: {}, body: { id: 7 } } } },
      expect: { status: 200, body: [{ pointer, equals: 7 }], branches: { is: 'true' } },
      ...more,
    },
  ],
})
const run = (input: object) => server.manage('POST', '/workflows/run_tests', input)
const publish = (name: string, workflow: unknown) =>
  addProxy(name, { methods: ['GET'], path: `/v1/${name.toLowerCase()}`, workflow })

test('tests run without effects, and a failure names the assertion with both values', async () => {
  const good = await run({ definition: tested('/id') })
  assert.equal(good.status, 200, good.text)
  assert.deepEqual(good.json.passed, true)
  const bad = await run({
    definition: tested('/number', {
      expect: { status: 404, body: [{ pointer: '/number', equals: 7 }], branches: { is: 'false', big: 'x' } },
    }),
  })
  assert.deepEqual([bad.json.passed, bad.json.tests[0].name], [false, 'finds a big order'])
  assert.deepEqual(bad.json.tests[0].failures, [
    { assertion: 'status', expected: 404, actual: 200 },
    { assertion: 'body/number', expected: 7, actual: null },
    { assertion: 'branch is', expected: 'false', actual: 'true' },
    { assertion: 'branch big', expected: 'x', actual: null },
  ])
  const mock = await run({ definition: tested('/id', { mocks: { none: {} } }) })
  assert.deepEqual(mock.json.tests[0].failures[0].assertion, 'mocks.none')
  assert.equal(calls, 0)
})

test('tests of a definition run a shared workflow by its slug, and none that the caller may not read', async () => {
  const made = await share('Kept', flow([answer('ok', { body: 'kept text' })], ['http ok']))
  assert.equal(made.status, 201, made.text)
  const outer = (workflow: string) => ({
    ...flow(
      [
        { id: 'inner', type: 'subworkflow_node', config: { workflow } },
        answer('ok', { body: '{{ $.inner.body }}' }),
      ],
      ['http inner', 'inner success ok'],
    ),
    tests: [{ name: 'tells', expect: { status: 200, body: [{ pointer: '', equals: 'kept text' }] } }],
  })
  for (const ref of ['kept', made.json.id]) {
    const own = await run({ definition: outer(ref) })
    assert.equal(own.json.passed, true, own.text)
  }
  const issued = await runCommand(server.data, ['token', '--grant', 'modifier@orders', '--name', 'Ada'])
  const token = issued.out.trim()
  const body = { definition: outer(made.json.id) }
  const other = await server.manage('POST', '/workflows/run_tests', body, { token })
  assert.equal(other.status, 400, other.text)
  assert.match(other.json.detail, /there is no workflow/)
  assert.doesNotMatch(other.text, /kept text/)
})

test('a workflow that fails a test with gate is neither published nor changed while it is in force', async () => {
  const shared = await share('Gated', tested('/number') as Definition)
  assert.equal(shared.status, 201, shared.text)
  const refused = await publish('Gated', 'gated')
  assert.deepEqual([refused.status, refused.json.code], [422, 'configuration_invalid'])
  assert.match(refused.json.detail, /fails its test "finds a big order": body\/number is not as expected/)
  assert.deepEqual(refused.json.errors, [
    { pointer: '/workflow/tests/0', reason: 'body/number is not as expected' },
  ])
  const draft = await addProxy('Gated', {
    methods: ['GET'],
    path: '/v1/gated',
    workflow: 'gated',
    status: 'draft',
  })
  assert.equal(draft.status, 201, draft.text)
  assert.equal((await server.manage('PATCH', '/proxies/orders:gated', { status: 'published' })).status, 422)
  const change = (definition: object) => server.manage('PATCH', '/workflows/gated', { definition })
  assert.equal((await change(tested('/id'))).status, 200)
  const published = await server.manage('PATCH', '/proxies/orders:gated', { status: 'published' })
  assert.equal(published.status, 200, published.text)
  assert.equal(calls, 0)
  assert.deepEqual((await get('/orders/v1/gated')).json, { id: 9 })
  const broken = await change(tested('/number'))
  assert.deepEqual([broken.status, broken.json.errors[0].pointer], [422, '/definition/tests/0'])
  assert.deepEqual((await get('/orders/v1/gated')).json, { id: 9 })
  assert.equal((await change(tested('/number', { gate: false }))).status, 200)
})

test('tests of the definition of a proxy hold it back too, and tests that take too long', async () => {
  const own = await publish('Own', tested('/number'))
  assert.equal(own.status, 422)
  assert.equal((await publish('Own', tested('/id'))).status, 201)
  assert.equal((await run({ proxy: 'orders:own' })).json.passed, true)
  const slow = {
    ...flow(
      [{ id: 'wait', type: 'delay_node', config: { duration: '10s' } }, answer('ok', {})],
      ['http wait', 'wait ok'],
    ),
    tests: [{ name: 'slow', gate: true, expect: { status: 200 } }],
  }
  const late = await publish('Slow', slow)
  assert.equal(late.status, 422)
  assert.match(late.json.detail, /took more than 2 s/)
})

test('a test whose request has a secret is a fault of the definition', async () => {
  const request = { headers: { authorization: 'Bearer abc' } }
  const { json } = await server.manage('POST', '/workflows/validate', {
    definition: tested('/id', { request }),
  })
  assert.deepEqual([json.valid, json.findings[0].code], [false, 'secret_literal'])
  assert.equal(json.findings[0].pointer, '/tests/0/request/headers/authorization')
})
