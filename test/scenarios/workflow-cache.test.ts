/** Values that workflows keep: the same on all gateway threads, apart for workflows, and gone in time. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { answer, type Definition, flow, startFlows } from './flows.ts'

const { server, upstream, endpoint, get, post, share, record, stop } = await startFlows()
after(stop)

const KEY = { key: '{{ $.http.request.body.key }}' }
/** One endpoint for all three operations: `op` in the body chooses. */
const kept: Definition = flow(
  [
    {
      id: 'op',
      type: 'switch_node',
      config: {
        cases: [
          { label: 'set', match: 'set' },
          { label: 'delete', match: 'delete' },
        ],
      },
      inputs: { value: '{{ $.http.request.body.op }}' },
    },
    {
      id: 'set',
      type: 'cache_node',
      config: { op: 'set', ttl: '10s', keep_stale: '20s' },
      inputs: { ...KEY, value: '{{ $.http.request.body.value }}' },
    },
    { id: 'drop', type: 'cache_node', config: { op: 'delete' }, inputs: KEY },
    { id: 'get', type: 'cache_node', config: { op: 'get', allow_stale: true }, inputs: KEY },
    answer('done', { body: '{{ $.set.kept }}' }),
    answer('gone', {}, { status: 204 }),
    answer('hit', { body: { hit: '{{ $.get.value }}' } }),
    answer('old', { body: { stale: '{{ $.get.value }}' } }),
    answer('none', { body: null }, { status: 404 }),
  ],
  [
    'http op',
    'op set set',
    'op delete drop',
    'op default get',
    'set done',
    'drop gone',
    'get hit hit',
    'get stale old',
    'get miss none',
  ],
)
const asked = (path: string, key: unknown, count = 12) =>
  Promise.all(Array.from({ length: count }, () => post(path, { op: 'get', key })))

test('what one thread keeps, all threads give, until it is changed, deleted or too old', async () => {
  const path = await endpoint(kept)
  const value = { id: 7, tags: ['ü', null], deep: { yes: true } }
  assert.equal((await post(path, { op: 'set', key: 'a', value })).json, true)
  for (const { json } of await asked(path, 'a')) assert.deepEqual(json, { hit: value })
  await post(path, { op: 'set', key: 'a', value: 'other' })
  for (const { json } of await asked(path, 'a')) assert.deepEqual(json, { hit: 'other' })
  server.moveClock(11_000)
  for (const { json } of await asked(path, 'a')) assert.deepEqual(json, { stale: 'other' })
  server.moveClock(20_000)
  for (const { status } of await asked(path, 'a')) assert.equal(status, 404)
  await post(path, { op: 'set', key: 'a', value: 1 })
  await post(path, { op: 'delete', key: 'a' })
  for (const { status } of await asked(path, 'a')) assert.equal(status, 404)
})

test('a key of one workflow or proxy never reads what another keeps', async () => {
  const [one, other] = [await endpoint(kept), await endpoint(kept)]
  assert.equal((await share('Kept', kept)).status, 201)
  const shared = [await endpoint('kept'), await endpoint('kept')]
  await post(one, { op: 'set', key: 'k', value: 'mine' })
  for (const path of [other, ...shared])
    for (const { status } of await asked(path, 'k')) assert.equal(status, 404)
  await post(shared[0]!, { op: 'set', key: 'k', value: 'ours' })
  for (const { json } of await asked(shared[1]!, 'k')) assert.deepEqual(json, { hit: 'ours' })
  for (const { json } of await asked(one, 'k')) assert.deepEqual(json, { hit: 'mine' })
})

test('a kept value answers while the upstream fails', async () => {
  const path = await endpoint(
    flow(
      [
        { id: 'call', type: 'proxy_node', inputs: { path: '/rates', body: null }, on_error: 'handle' },
        {
          id: 'keep',
          type: 'cache_node',
          config: { op: 'set', ttl: '1s', keep_stale: '1h' },
          inputs: { key: 'rates', value: '{{ $.call.body }}' },
        },
        answer('fresh', { body: '{{ $.call.body }}' }),
        {
          id: 'last',
          type: 'cache_node',
          config: { op: 'get', allow_stale: true },
          inputs: { key: 'rates' },
        },
        answer('stale', { body: { stale: '{{ $.last.value }}' } }),
        answer('none', {}, { status: 503 }),
      ],
      [
        'http call',
        'call success keep',
        'keep fresh',
        'call error last',
        'last stale stale',
        'last hit stale',
        'last miss none',
      ],
    ),
  )
  let isDown = true
  const before = upstream.answer
  upstream.answer = (_seen, response) => {
    response.writeHead(isDown ? 500 : 200, { 'content-type': 'application/json' }).end('{"eur":1.1}')
  }
  try {
    assert.equal((await get(path)).status, 503)
    isDown = false
    assert.deepEqual((await get(path)).json, { eur: 1.1 })
    isDown = true
    server.moveClock(60_000)
    assert.deepEqual((await get(path)).json, { stale: { eur: 1.1 } })
  } finally {
    upstream.answer = before
  }
})

test('keys and values of any form are kept apart or end in a failure that the record names', async () => {
  const path = await endpoint(kept)
  for (const key of ['__proto__', 'constructor', 'a\r\nb', 'a\u0000b', 'é'])
    await post(path, { op: 'set', key, value: { of: key } })
  for (const key of ['__proto__', 'constructor', 'a\r\nb', 'a\u0000b', 'é'])
    assert.deepEqual((await post(path, { op: 'get', key })).json, { hit: { of: key } })
  assert.equal((await post(path, { op: 'get', key: 'toString' })).status, 404)
  for (const [body, reason] of [
    [{ op: 'get', key: 'x'.repeat(2000) }, 'node "get": key is no text of 1 to 1024 characters'],
    [{ op: 'get', key: { a: 1 } }, 'node "get": key is no text of 1 to 1024 characters'],
    [
      { op: 'set', key: 'a', value: 'x'.repeat(300_000) },
      'node "set": the value is longer than 262144 bytes as JSON',
    ],
  ] as const) {
    const reply = await post(path, body)
    assert.deepEqual([reply.status, reply.json.code], [500, 'workflow_failed'])
    assert.equal((await record(reply.headers.get('x-request-id')!)).reason, reason)
  }
})
