/** Captures over real sockets: which requests they take, what is never kept of these, who may read them, and how they end. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { after, afterEach, test } from 'node:test'
import { answer, flow, startFlows } from './flows.ts'
import { type CallOptions, type Reply, until } from './server.ts'

const { server, upstream, token, endpoint, get, post, executeCall, stop } = await startFlows({ workers: 2 })
after(stop)

/** One that is in force wherever the clock was moved to. */
const admin = async () => (await server.running.issueToken({ role: 'admin', ttl: '24h', name: 'admin' })).token
let root = await admin()
const manage = (method: string, path: string, body?: unknown, options: CallOptions = { token: root }) =>
  server.manage(method, path, body, options)
const proxyOf = (path: string) => `orders:flow-${path.slice(path.lastIndexOf('-') + 1)}`
const arm = (path: string, more: object = {}, options?: CallOptions) =>
  manage('POST', '/captures', { proxy: proxyOf(path), ...more }, options)
async function armed(path: string, more: object = {}): Promise<string> {
  const reply = await arm(path, more)
  assert.equal(reply.status, 201, reply.text)
  return reply.json.id
}
const show = async (id: string): Promise<Reply['json']> => (await manage('GET', `/captures/${id}`)).json
const captured = (id: string) => until(() => show(id), ({ state }) => state === 'captured')
/** A call that waits until the threads have told what they have taken: any later answer of management would do. */
const tried = (input: object, options: CallOptions = { token: root }) =>
  manage('POST', '/workflows/test', input, options)

const ECHO = flow(
  [
    { id: 'pick', type: 'set_node', inputs: { order: '{{ $.http.request.body.order }}' } },
    answer('ok', { body: { order: '{{ $.pick.order }}' } }),
  ],
  ['http pick', 'pick ok'],
)

afterEach(async () => {
  const { json } = await manage('GET', '/captures')
  for (const { id, state } of json.items)
    if (state === 'waiting' || state === 'captured') await manage('POST', `/captures/${id}/cancel`, {})
})

test('the next request over REST is kept as the request of test_workflow, test_node and a saved test', async () => {
  const path = await endpoint(ECHO)
  const started = await arm(path)
  assert.equal(started.status, 201, started.text)
  const { id, state, next, match, count, captured: taken, proxy } = started.json
  assert.deepEqual([state, count, taken, proxy], ['waiting', 1, 0, proxyOf(path)])
  assert.deepEqual(match, { method: null, path: null, client: null, profile: null, query: {}, headers: {} })
  assert.match(next, /^Have a client call orders:flow-\d+ before .*Z: 1 more request is taken\./)
  const reply = await server.gateway('POST', `${path}?on=a&on=b&at=now`, {
    token,
    headers: { 'X-Tenant': 'north' },
    body: { order: 7 },
  })
  assert.equal(reply.status, 200, reply.text)
  const view = await captured(id)
  assert.equal(view.captured, 1)
  assert.match(view.next, /^Give capture "cap_/)
  const [{ request, request_id, door, body_state, body_bytes }] = view.requests
  assert.deepEqual(
    [request_id, door, body_state, body_bytes],
    [reply.headers.get('x-request-id'), 'rest', 'whole', 11],
  )
  const { headers, ...rest } = request
  assert.deepEqual(rest, {
    method: 'POST',
    path,
    path_params: {},
    query: { on: ['a', 'b'], at: 'now' },
    body: { order: 7 },
    client: 'acme',
    profile: 'acme:sandbox',
    claims: {},
    ip: '127.0.0.1',
  })
  assert.deepEqual([headers['x-tenant'], headers['content-type']], ['north', 'application/json'])
  const run = await tried({ definition: ECHO, capture: id })
  assert.deepEqual([run.json.status, run.json.body], [200, { order: 7 }], run.text)
  const node = await manage('POST', '/workflows/test_node', {
    type: 'set_node',
    inputs: { at: '{{ $.http.request.query.at }}' },
    context: { http: { request: { query: { at: 'sample' } } } },
    capture: id,
  })
  assert.equal(node.json.outputs.at, 'sample', node.text)
  const test = { name: 'as captured', request, expect: { body: [{ pointer: '/order', equals: 7 }] } }
  const saved = await manage('POST', '/workflows', { name: 'Saved', definition: { ...ECHO, tests: [test] } })
  assert.equal(saved.status, 201, saved.text)
  assert.equal((await manage('POST', '/workflows/run_tests', { workflow: 'saved' })).json.passed, true)
})

test('requests by execute_call and at each thread are taken, as many as the count says and no more', async () => {
  const path = await endpoint(ECHO)
  const id = await armed(path, { count: 3 })
  await executeCall({ endpoint: `POST ${path}`, params: { body: { order: 1 } } })
  assert.equal((await until(() => show(id), (view) => view.captured === 1)).state, 'waiting')
  // Each on a connection of its own, so that both threads have some
  await Promise.all(
    Array.from({ length: 16 }, (_, order) =>
      server.gateway('POST', path, { token, headers: { connection: 'close' }, body: { order } }),
    ),
  )
  const { requests } = await captured(id)
  assert.deepEqual(
    requests.map(({ door }: { door: string }) => door),
    ['execute_call', 'rest', 'rest'],
  )
  await post(path, { order: 99 })
  assert.equal((await show(id)).requests.length, 3)
})
