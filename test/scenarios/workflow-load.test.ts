/** Many runs at once, with faults in every node, over real sockets: what they answer, and what they leave. */
import assert from 'node:assert/strict'
import { readdirSync, readlinkSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { after, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { answer, flow, startFlows } from './flows.ts'
import { until } from './server.ts'

const CALLERS = 1000
const { server, upstream, token, endpoint, post, share, record, stop } = await startFlows({ workers: 1 })
after(stop)
upstream.answer = ({ url, body }, response) => {
  const [, kind = ''] = new URL(url, 'http://upstream').pathname.split('/')
  if (kind === 'never') return
  if (kind === 'broken') response.destroy()
  else if (kind === 'down') response.writeHead(503).end()
  else {
    response.writeHead(200, { 'content-type': 'application/json' })
    setTimeout(() => response.end(JSON.stringify({ url, body })), url.length % 20)
  }
}
const KINDS = ['ok', 'down', 'broken', 'never', 'ok']

interface Answered {
  readonly status: number
  readonly json: Record<string, unknown>
}

/** A call that may leave after so many milliseconds: null then. */
function callOf(
  path: string,
  body: unknown,
  agent: Agent,
  leavesAfterMs: number | null,
): Promise<Answered | null> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const asked = request(
      `${server.running.gatewayUrl}${path}`,
      { method: 'POST', headers, agent },
      (response) => {
        let text = ''
        response.on('data', (piece) => {
          text += piece
        })
        response.on('end', () => resolve({ status: response.statusCode!, json: JSON.parse(text) }))
        response.on('error', () => resolve(null))
      },
    )
    asked.on('error', (error) => (asked.destroyed ? resolve(null) : reject(error)))
    asked.end(JSON.stringify(body))
    if (leavesAfterMs !== null) setTimeout(() => asked.destroy(), leavesAfterMs)
  })
}

/** Sockets of this process, with those of its threads and of the upstream. */
function openSockets(): number {
  return readdirSync('/proc/self/fd').filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).startsWith('socket:')
    } catch {
      return false
    }
  }).length
}

test('a thousand callers at once, with faults in every node, get what belongs to their own request, and no socket is left', async (t) => {
  if (process.platform !== 'linux') return t.skip('sockets are counted in /proc')
  const inner = await share(
    'Inner',
    flow(
      [
        { id: 'is', type: 'condition_node', inputs: { expression: '{{ $.http.request.body % 3 != 0 }}' } },
        answer('ok', { body: '{{ $.http.request.body }}' }),
        answer('bad', {}, { status: 500 }),
      ],
      ['http is', 'is true ok', 'is false bad'],
    ),
  )
  assert.equal(inner.status, 201, inner.text)
  const path = await endpoint(
    flow(
      [
        {
          id: 'call',
          type: 'proxy_node',
          inputs: { path: '/{{ $.http.request.body.kind }}/{{ $.http.request.body.n }}', headers: {} },
          config: { method: 'GET' },
          timeout: '300ms',
          retry: { max: 1, delay: '10ms', on: ['503'] },
          on_error: 'handle',
        },
        {
          id: 'code',
          type: 'code_node',
          config: { code: '(n) => { if (n % 7 === 0) throw new Error("seven"); return n }' },
          inputs: { input: '{{ $.http.request.body.n }}' },
          on_error: 'fallback',
          fallback: { value: null },
        },
        {
          id: 'each',
          type: 'foreach_node',
          config: { workflow: 'inner' },
          inputs: { items: ['{{ $.http.request.body.n }}', '{{ $.http.request.body.n + 1 }}'] },
          on_error: 'handle',
        },
        {
          id: 'xml',
          type: 'transform_node',
          config: { op: 'convert', from: 'xml', to: 'json' },
          inputs: {
            value: '<n>{{ $.http.request.body.n }}</n{{ $.http.request.body.n % 2 == 0 ? ">" : "" }}',
          },
          on_error: 'handle',
        },
        {
          id: 'kept',
          type: 'cache_node',
          config: { op: 'set', ttl: '1m' },
          inputs: { key: '{{ $.http.request.body.n }}', value: '{{ $.http.request.body }}' },
        },
        { id: 'pause', type: 'delay_node', config: { duration: '20ms' } },
        { id: 'all', type: 'join_node', config: { timeout: '1s' }, on_error: 'handle' },
        answer('ok', {
          body: {
            n: '{{ $.http.request.body.n }}',
            url: '{{ has($.all.call.status) && $.all.call.status == 200 ? $.all.call.body.url : "" }}',
            code: '{{ $.all.code.value }}',
          },
        }),
        answer('late', { body: { n: '{{ $.http.request.body.n }}' } }, { status: 504 }),
      ],
      [
        ...['call', 'code', 'each', 'xml', 'kept', 'pause'].map((to) => `http ${to}`),
        ...[
          'call success',
          'call error',
          'code',
          'each success',
          'each error',
          'xml',
          'xml error',
          'kept',
          'pause',
        ].map((from) => `${from} all`),
        'all ok',
        'all error late',
      ],
    ),
  )
  // Later the breaker of the upstream opens. A slow machine takes more than one attempt
  const one = await until(
    () => post(path, { n: 1, kind: 'ok' }),
    ({ status, json }) => status === 200 && json['url'] !== '',
  )
  assert.deepEqual(one.json, { n: 1, url: '/ok/1', code: 1 })
  const before = openSockets()
  const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY })
  const calls = Array.from({ length: CALLERS }, (_, n) => {
    const body = { n, kind: KINDS[n % KINDS.length] }
    return callOf(path, body, agent, n % 10 === 9 ? n % 97 : null)
  })
  let failed = 0
  for (const [n, reply] of (await Promise.all(calls)).entries()) {
    if (reply === null) {
      assert.equal(n % 10, 9)
      continue
    }
    const { status, json } = reply
    assert.ok(status === 200 || status === 504, JSON.stringify(json))
    assert.equal(json['n'], n)
    if (status === 504) continue
    if (json['url'] === '') failed++
    else assert.equal(json['url'], `/ok/${n}`)
    assert.ok(json['code'] === null || json['code'] === n)
  }
  assert.ok(failed > 0)
  agent.destroy()
  // Those that wait for a further call
  upstream.closeConnections()
  await eventually(() => openSockets() <= before)
})

test('a value that a workflow repeats beyond the bounds of a run fails the run before it is written', async () => {
  const items = { each: Array.from({ length: 1000 }, (_, n) => n), text: 'x'.repeat(100_000) }
  const repeated = '{{ $.http.request.body.each.map(x, $.http.request.body) }}'
  const body = await endpoint(flow([answer('ok', { body: repeated })], ['http ok']))
  const failed = await post(body, items)
  assert.equal(failed.json['code'], 'workflow_failed')
  assert.match(
    (await record(failed.headers.get('x-request-id')!)).reason,
    /longer than 33554432 characters of JSON/,
  )
  const code = await endpoint(
    flow(
      [
        {
          id: 'code',
          type: 'code_node',
          config: { code: '(input) => input' },
          inputs: { input: repeated },
          on_error: 'handle',
        },
        answer('ok', {}),
        answer('bad', { body: '{{ $.code.error.kind }}' }),
      ],
      ['http code', 'code ok', 'code error bad'],
    ),
  )
  assert.equal((await post(code, items)).json, 'size')
})

test('the expressions of a request share their steps, with those of inner workflows', async () => {
  const counted = '{{ size($.http.request.body.map(x, x + 1)) }}'
  const made = await share('Steps', flow([answer('ok', { body: counted })], ['http ok']))
  assert.equal(made.status, 201, made.text)
  const within = await endpoint(
    flow(
      [
        {
          id: 'each',
          type: 'foreach_node',
          config: { workflow: 'steps' },
          inputs: { items: '{{ $.http.request.body }}' },
        },
        answer('ok', { body: '{{ size($.each.items) }}' }),
      ],
      ['http each', 'each success ok'],
    ),
  )
  const items = Array.from({ length: 1000 }, (_, n) => n)
  assert.equal((await post(within, [items, items])).json, 2)
  const failed = await post(
    within,
    Array.from({ length: 40 }, () => items),
  )
  assert.equal(failed.json['code'], 'workflow_failed')
  assert.match((await record(failed.headers.get('x-request-id')!)).reason, /it takes too many steps/)
  const texts = await endpoint(
    flow(
      [
        {
          id: 'set',
          type: 'set_node',
          inputs: Object.fromEntries(
            Array.from({ length: 100 }, (_, n) => [`t${n}`, `${n} {{ $.http.request.body.text }}`]),
          ),
        },
        answer('ok', { body: '{{ size($.set.t1) }}' }),
      ],
      ['http set', 'set ok'],
    ),
  )
  assert.equal((await post(texts, { text: 'x'.repeat(1000) })).json, 1002)
  assert.equal((await post(texts, { text: 'x'.repeat(900_000) })).json['code'], 'workflow_failed')
})
