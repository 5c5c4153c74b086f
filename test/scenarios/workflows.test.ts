/** Workflows that answer in the place of the upstream, over real sockets: by REST, by an agent, shared and changed. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { after, test } from 'node:test'
import { startOrders } from './orders.ts'
import { call, type Reply } from './server.ts'

const { server, upstream, token, ask, addProxy, executeCall, record, stop } = await startOrders({
  workers: 2,
})
after(stop)
upstream.answer = ({ method, url, headers, body }, response) => {
  const { pathname } = new URL(url, 'http://upstream')
  if (pathname.endsWith('/down'))
    response.writeHead(503, { 'content-type': 'application/json' }).end('{"down":true}')
  else if (pathname.endsWith('/slow')) return
  else if (pathname.endsWith('/broken')) response.destroy()
  else if (pathname.endsWith('/exact'))
    response.writeHead(200, { 'content-type': 'application/json' }).end('{ "id": 12345678901234567890 }')
  else if (pathname.endsWith('/xml'))
    response
      .writeHead(200, { 'content-type': 'application/xml' })
      .end(`<reply type="${headers['content-type']}">${body.slice(body.indexOf('?>') + 2)}</reply>`)
  else if (pathname.endsWith('/bytes'))
    response.writeHead(200, { 'content-type': 'image/png' }).end(Buffer.from([0, 255, 128]))
  else
    response.writeHead(200, { 'content-type': 'application/json' }).end(
      JSON.stringify({
        method,
        url,
        key: headers['x-tenant'] ?? null,
        type: headers['content-type'] ?? null,
        body,
      }),
    )
}

const HTTP = { id: 'http', type: 'http_trigger' }
interface Definition {
  readonly nodes: readonly object[]
  readonly edges: readonly object[]
}

/** Edges are `from to` or `from handle to`. */
function flow(nodes: readonly object[], edges: readonly string[]): Definition {
  return {
    nodes: [HTTP, ...nodes],
    edges: edges.map((text) => {
      const parts = text.split(' ')
      return { from: parts[0], to: parts.at(-1), ...(parts.length === 3 ? { handle: parts[1] } : {}) }
    }),
  }
}
const answer = (id: string, inputs: object, config: object = {}) => ({
  id,
  type: 'response_node',
  inputs,
  config,
})

let count = 0
/** A published endpoint with the workflow; gives its path. */
async function endpoint(workflow: Definition | string, more: object = {}): Promise<string> {
  const path = `/v1/flow-${++count}`
  const methods = ['GET', 'POST']
  const made = await addProxy(`Flow ${count}`, { methods, path, workflow, ...more })
  assert.equal(made.status, 201, made.text)
  return `/orders${path}`
}
const get = (path: string, headers: Record<string, string> = {}): Promise<Reply> =>
  call('GET', `${server.running.gatewayUrl}${path}`, { token, headers })
const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Reply> =>
  call('POST', `${server.running.gatewayUrl}${path}`, { token, body, headers })
const recordOf = (reply: Reply) => record(reply.headers.get('x-request-id')!)

test('two calls of the upstream side by side are answered as one, the same over REST and by an agent', async () => {
  const path = await endpoint(
    flow(
      [
        {
          id: 'a',
          type: 'proxy_node',
          inputs: { path: '/a', query: { of: '{{ $.http.request.query.of }}' } },
        },
        { id: 'b', type: 'proxy_node', inputs: { path: '/b' }, config: { method: 'GET' } },
        { id: 'both', type: 'join_node' },
        answer('ok', {
          body: { first: '{{ $.a.body.url }}', second: "{{ $json['b'].body.method + ' ' + $.b.body.url }}" },
        }),
      ],
      ['http a', 'http b', 'a success both', 'b success both', 'both ok'],
    ),
  )
  const reply = await get(`${path}?of=7`)
  assert.deepEqual([reply.status, reply.json], [200, { first: '/a?of=7', second: 'GET /b?of=7' }])
  assert.equal(reply.headers.get('content-type'), 'application/json')
  const agent = await executeCall({ endpoint: `GET ${path}`, params: { query: { of: '7' } } })
  assert.deepEqual([agent.status, agent.body], [200, reply.json])
})

test('a body that fits goes to the upstream as it came, and one that does not is answered with its errors', async () => {
  const path = await endpoint(
    flow(
      [
        {
          id: 'check',
          type: 'validate_node',
          config: { schema: { type: 'object', required: ['sku'] } },
          inputs: { value: '{{ $.http.request.body }}' },
        },
        { id: 'call', type: 'proxy_node' },
        answer('ok', { body: '{{ $.call.body }}' }),
        answer('bad', { body: { errors: '{{ $.check.errors }}' } }, { status: 422 }),
      ],
      ['http check', 'check valid call', 'call success ok', 'check invalid bad'],
    ),
  )
  const good = await post(path, '{ "sku": 12345678901234567890 }')
  assert.equal(good.json.body, '{ "sku": 12345678901234567890 }')
  const bad = await post(path, { sk: 1 })
  assert.equal(bad.status, 422)
  assert.equal(bad.json.errors[0].pointer, '/sku')
})

test('the template for transformation speaks JSON with callers and XML with the upstream', async () => {
  const made = await addProxy('As XML', { methods: ['POST'], path: '/v1/xml', status: 'draft' })
  assert.equal(made.status, 201, made.text)
  const applied = await server.manage('POST', '/proxies/apply_template', {
    template: 'transformation',
    parameters: { to_upstream: 'xml', to_caller: 'json' },
    proxies: [made.json.id],
  })
  assert.deepEqual([applied.status, applied.json.findings], [200, []], applied.text)
  await server.manage('PATCH', `/proxies/${made.json.id}`, { status: 'published' })
  const reply = await post('/orders/v1/xml', { order: { '@id': 7, line: ['a<b', ''] } })
  assert.deepEqual(
    [reply.status, reply.json],
    [200, { reply: { '@type': 'application/xml', order: { '@id': '7', line: ['a<b', ''] } } }],
  )
  assert.equal(reply.headers.get('content-type'), 'application/json')
  const refused = await post('/orders/v1/xml', { two: 1, roots: 2 })
  assert.equal(refused.status, 500)
  assert.match((await recordOf(refused)).reason, /node "before": XML is made of an object with one member/)
})

test('conditions and switches choose the way, and values are set for later nodes', async () => {
  const path = await endpoint(
    flow(
      [
        {
          id: 'sum',
          type: 'set_node',
          inputs: { total: '{{ $.http.request.body.price * $.http.request.body.count }}' },
        },
        { id: 'big', type: 'condition_node', inputs: { expression: '{{ $.sum.total > 100 }}' } },
        {
          id: 'which',
          type: 'switch_node',
          config: { cases: [{ label: 'eu', match: 'DE' }] },
          inputs: { value: '{{ $.http.request.body.country }}' },
        },
        answer(
          'manual',
          { body: 'needs approval: {{ $.sum.total }}' },
          { status: 202, content_type: 'text/plain' },
        ),
        answer('here', { body: { place: 'eu', total: '{{ $.sum.total }}' } }),
        answer('there', { body: { place: '{{ $.which.matched_output }}' } }),
      ],
      ['http sum', 'sum big', 'big true manual', 'big false which', 'which eu here', 'which there'],
    ),
  )
  const big = await post(path, { price: 60.5, count: 2, country: 'DE' })
  assert.deepEqual(
    [big.status, big.text, big.headers.get('content-type')],
    [202, 'needs approval: 121', 'text/plain'],
  )
  assert.deepEqual((await post(path, { price: 2, count: 3, country: 'DE' })).json, { place: 'eu', total: 6 })
  assert.deepEqual((await post(path, { price: 2, count: 3, country: 'US' })).json, { place: 'default' })
})

test('a branch that is not taken does not hold up a join, and of any branch the first is enough', async () => {
  const path = await endpoint(
    flow(
      [
        {
          id: 'is',
          type: 'condition_node',
          inputs: { expression: '{{ $.http.request.query.way == "both" }}' },
        },
        { id: 'yes', type: 'set_node', inputs: { is: true } },
        { id: 'no', type: 'set_node', inputs: { is: false } },
        { id: 'all', type: 'join_node' },
        answer('ok', { body: '{{ $.all }}' }),
      ],
      ['http is', 'is true yes', 'is false no', 'yes all', 'no all', 'all ok'],
    ),
  )
  assert.deepEqual((await get(`${path}?way=both`)).json, { yes: { is: true } })
  const first = await endpoint(
    flow(
      [
        { id: 'slow', type: 'proxy_node', inputs: { path: '/slow' } },
        { id: 'fast', type: 'proxy_node', inputs: { path: '/fast' } },
        { id: 'any', type: 'join_node', config: { wait: 'any' } },
        answer('ok', { body: '{{ $.any.fast.body.url }}' }),
      ],
      ['http slow', 'http fast', 'slow success any', 'fast success any', 'any ok'],
    ),
  )
  assert.equal((await get(first)).json, '/fast')
})

test('failures take the error handle, a fallback, or end the run with the fault of the upstream', async () => {
  const call = (more: object) => ({ id: 'call', type: 'proxy_node', ...more })
  const ok = answer('ok', { status: '{{ $.call.status }}', body: '{{ $.call.body }}' })
  const handled = await endpoint(
    flow(
      [
        call({ inputs: { path: '/down' }, on_error: 'handle', retry: { max: 2, delay: '1ms', on: ['503'] } }),
        ok,
        answer(
          'bad',
          { problem: { code: 'try_later', detail: '{{ $.call.error.message }}' } },
          { status: 503 },
        ),
      ],
      ['http call', 'call success ok', 'call error bad'],
    ),
  )
  const before = upstream.seen.length
  const down = await get(handled)
  assert.deepEqual(
    [down.status, down.json.code, down.json.detail, down.headers.get('content-type')],
    [503, 'try_later', 'it answered 503', 'application/problem+json'],
  )
  assert.equal(upstream.seen.length - before, 3, 'one call and two repeats')

  const fallback = await endpoint(
    flow(
      [
        call({
          inputs: { path: '/broken' },
          on_error: 'fallback',
          fallback: { status: 200, body: { kept: true } },
        }),
        ok,
      ],
      ['http call', 'call success ok'],
    ),
  )
  assert.deepEqual((await get(fallback)).json, { kept: true })

  const late = await endpoint(
    flow(
      [
        call({ inputs: { path: '/slow' }, timeout: '50ms', on_error: 'handle' }),
        ok,
        answer('bad', { body: '{{ $.call.error.kind }}' }),
      ],
      ['http call', 'call success ok', 'call error bad'],
    ),
  )
  assert.equal((await get(late)).json, 'timeout')

  const plain = flow([call({ inputs: { path: '/down' } }), ok], ['http call', 'call success ok'])
  const passed = await get(await endpoint(plain))
  assert.deepEqual([passed.status, passed.json], [503, { down: true }], 'an answer is an answer')
  const broken = flow([call({ inputs: { path: '/broken' } }), ok], ['http call', 'call success ok'])
  const refused = await get(await endpoint(broken))
  assert.deepEqual([refused.status, refused.json.code], [502, 'upstream_unreachable'])
})

test('a run that fails tells its caller nothing of the inside, and the record names node and cause', async () => {
  const path = await endpoint(
    flow([answer('ok', { body: '{{ $.http.request.body.order.total }}' })], ['http ok']),
  )
  const reply = await post(path, { order: {} })
  assert.deepEqual([reply.status, reply.json.code], [500, 'workflow_failed'])
  assert.ok(!reply.text.includes('total'))
  const written = await recordOf(reply)
  assert.equal(written.reason, 'node "ok": there is no member total')
  assert.deepEqual([written.stopped_at, written.check], [17, 'workflow'])
})

test('what was not touched leaves with the bytes that came, and bytes that are no text too', async () => {
  const path = await endpoint(
    flow(
      [
        { id: 'call', type: 'proxy_node', inputs: { path: '/{{ $.http.request.query.what }}' } },
        answer('ok', { headers: '{{ $.call.headers }}', body: '{{ $.call.body }}' }),
      ],
      ['http call', 'call success ok'],
    ),
  )
  assert.equal((await get(`${path}?what=exact`)).text, '{ "id": 12345678901234567890 }')
  const image = await fetch(`${server.running.gatewayUrl}${path}?what=bytes`, {
    headers: { authorization: `Bearer ${token}` },
  })
  assert.equal(image.headers.get('content-type'), 'image/png')
  assert.deepEqual([...new Uint8Array(await image.arrayBuffer())], [0, 255, 128])
})

test('no value that a caller chooses breaks out of a path or a header, and no credential of a caller can be read', async () => {
  const path = await endpoint(
    flow(
      [
        {
          id: 'call',
          type: 'proxy_node',
          inputs: {
            path: '/t/{{ $.http.request.query.path }}',
            headers: { 'X-Tenant': '{{ $.http.request.query.tenant }}' },
          },
          on_error: 'handle',
        },
        answer('ok', { headers: { 'X-Back': '{{ $.http.request.query.back }}' }, body: '{{ $.call.body }}' }),
        answer('bad', { body: '{{ $.call.error.kind }}' }, { status: 400 }),
      ],
      ['http call', 'call success ok', 'call error bad'],
    ),
  )
  const good = await get(`${path}?path=a&tenant=acme&back=b`)
  assert.deepEqual(
    [good.json.url, good.json.key, good.headers.get('x-back')],
    [`/t/a?path=a&tenant=acme&back=b`, 'acme', 'b'],
  )
  for (const [query, kind] of [
    ['path=..%2Fadmin', 'path'],
    ['path=a%3Fx=1', 'path'],
    ['path=%2e%2e%2f', 'path'],
    ['path=a&tenant=x%0D%0AX-Admin:%201', 'headers'],
    ['path=a&tenant=%C3%BC', 'headers'],
  ])
    assert.deepEqual([query, (await get(`${path}?back=b&tenant=t&${query}`)).json], [query, kind])
  const split = await get(`${path}?path=a&tenant=t&back=x%0D%0ASet-Cookie:%20a=b`)
  assert.deepEqual(
    [split.status, split.json.code, split.headers.get('set-cookie')],
    [500, 'workflow_failed', null],
  )

  const headers = await endpoint(flow([answer('ok', { body: '{{ $.http.request.headers }}' })], ['http ok']))
  const seen = (await get(headers, { 'x-own': 'yes' })).json
  assert.equal(seen['x-own'], 'yes')
  assert.equal(seen.authorization, undefined)
})

test('a body that another reader may understand in another way reaches no node and no upstream', async () => {
  const path = await endpoint(
    flow(
      [
        {
          id: 'check',
          type: 'validate_node',
          config: { schema: true },
          inputs: { value: '{{ $.http.request.body }}' },
        },
        { id: 'call', type: 'proxy_node' },
        answer('ok', { body: '{{ $.call.body }}' }),
      ],
      ['http check', 'check valid call', 'check invalid call', 'call success ok'],
    ),
  )
  const before = upstream.seen.length
  for (const body of [
    '{"role":"user","role":"admin"}',
    '{"a":',
    '\ufeff{}',
    '['.repeat(200) + ']'.repeat(200),
  ]) {
    const reply = await post(path, body)
    assert.deepEqual([reply.status, reply.json.code], [400, 'body_invalid'], body)
  }
  assert.equal(upstream.seen.length, before)
  const text = await post(path, '{"role":"user","role":"admin"}', { 'content-type': 'text/plain' })
  assert.equal(text.json.body, '{"role":"user","role":"admin"}', 'text is no JSON')
})

test('a workflow that only decides where a call goes has its bodies stream, in both directions', async () => {
  const pass = { status: '{{ $.call.status }}', headers: '{{ $.call.headers }}', body: '{{ $.call.body }}' }
  const path = await endpoint(
    flow(
      [
        {
          id: 'is',
          type: 'condition_node',
          inputs: { expression: '{{ $.http.request.query.to == "new" }}' },
        },
        { id: 'call', type: 'proxy_node', inputs: { path: '/streams/{{ $.http.request.query.to }}' } },
        answer('ok', pass),
        answer('no', {}, { status: 404 }),
      ],
      ['http is', 'is true call', 'is false no', 'call success ok'],
    ),
  )
  const before = upstream.answer
  upstream.handler = (incoming, response) => {
    response.writeHead(201, { 'content-type': 'text/plain', 'x-own': incoming.url! })
    incoming.on('data', (piece: Buffer) => response.write(`${piece.toString()}!`))
    incoming.on('end', () => response.end())
  }
  try {
    const outgoing = request(`${server.running.gatewayUrl}${path}?to=new`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'text/plain' },
    })
    outgoing.write('one')
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    assert.deepEqual([response.statusCode, response.headers['x-own']], [201, '/streams/new?to=new'])
    const [first] = (await once(response, 'data')) as [Buffer]
    assert.equal(first.toString(), 'one!', 'its answer is there before the request has ended')
    const ended = once(response, 'end')
    outgoing.end('two')
    const [second] = (await once(response, 'data')) as [Buffer]
    assert.equal(second.toString(), 'two!')
    await ended
  } finally {
    upstream.handler = null
    upstream.answer = before
  }
  assert.equal((await get(`${path}?to=old`)).status, 404)
  const written = await recordOf(await get(`${path}?to=new`))
  assert.deepEqual([written.status, written.upstream_status], [200, 200])
})

test('a caller that leaves ends the call that its run has under way', async () => {
  const path = await endpoint(
    flow(
      [{ id: 'call', type: 'proxy_node', inputs: { path: '/slow' } }, answer('ok', {})],
      ['http call', 'call success ok'],
    ),
  )
  const before = upstream.answer
  const gone = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  upstream.answer = (_seen, response) => {
    response.once('close', () => gone.resolve())
    asked.resolve()
  }
  try {
    const outgoing = request(`${server.running.gatewayUrl}${path}`, {
      headers: { authorization: `Bearer ${token}` },
    })
    outgoing.end()
    await asked.promise
    outgoing.destroy()
    await once(outgoing, 'error')
    await gone.promise
  } finally {
    upstream.answer = before
  }
})

test('a shared workflow that is changed answers the next call; one in use can neither break nor be deleted', async () => {
  const said = (text: string) => flow([answer('ok', { body: text })], ['http ok'])
  const made = await server.manage('POST', '/workflows', { name: 'Shared', definition: said('one') })
  assert.equal(made.status, 201, made.text)
  const path = await endpoint('shared')
  assert.equal((await get(path)).json, 'one')
  const changed = await server.manage('PATCH', '/workflows/shared', { definition: said('two') })
  assert.equal(changed.status, 200, changed.text)
  assert.equal((await get(path)).json, 'two')
  const faulty = await server.manage('PATCH', '/workflows/shared', { definition: said('{{ $.nobody }}') })
  assert.deepEqual([faulty.status, faulty.json.code], [422, 'configuration_invalid'])
  assert.equal(faulty.json.errors[0].pointer, '/definition/nodes/1/inputs/body')
  assert.equal((await get(path)).json, 'two')
  const deleted = await server.manage('DELETE', '/workflows/shared?confirm=shared')
  assert.equal(deleted.json.code, 'in_use', deleted.text)
})

test('every check before it holds, and its answer is kept and judged as any other', async () => {
  const path = await endpoint(
    flow(
      [
        { id: 'call', type: 'proxy_node', inputs: { path: '/a' } },
        answer('ok', { body: { url: '{{ $.call.body.url }}' } }),
      ],
      ['http call', 'call success ok'],
    ),
    { cache: { ttl: '1m' } },
  )
  const anonymous = await call('GET', `${server.running.gatewayUrl}${path}`)
  assert.equal(anonymous.status, 401)
  const before = upstream.seen.length
  const replies = await Promise.all(Array.from({ length: 3 }, () => get(path)))
  for (let again = 0; again < 6; again++) replies.push(await get(path))
  for (const { json } of replies) assert.deepEqual(json, { url: '/a' })
  assert.equal(replies.filter((reply) => reply.headers.get('x-cache') === 'HIT').length > 0, true)
  assert.ok(upstream.seen.length - before < replies.length)
  const judged = await endpoint(flow([answer('ok', { body: { total: 'no number' } })], ['http ok']), {
    response_schema: { type: 'object', properties: { total: { type: 'number' } } },
    response_validation: 'enforce',
  })
  assert.equal((await get(judged)).json.code, 'response_invalid')
})

test('a run that reaches no response fails, and says so in its record', async () => {
  const nowhere = await endpoint(
    flow(
      [
        { id: 'is', type: 'condition_node', inputs: { expression: '{{ $.http.request.method == "POST" }}' } },
        answer('ok', {}),
      ],
      ['http is', 'is true ok'],
    ),
  )
  const reply = await get(nowhere)
  assert.equal(reply.json.code, 'workflow_failed')
  assert.equal((await recordOf(reply)).reason, 'the run reached no response_node')
  assert.equal((await post(nowhere, {})).status, 200)
})

test('a proxy whose workflow has faults is not published, and says where', async () => {
  const made = await addProxy('Faulty', {
    methods: ['GET'],
    path: '/v1/faulty',
    workflow: flow([answer('ok', { body: '{{ $.nobody.x }}' })], ['http ok']),
  })
  assert.deepEqual([made.status, made.json.code], [422, 'configuration_invalid'])
  assert.deepEqual(made.json.errors, [
    { pointer: '/workflow/nodes/1/inputs/body', reason: 'there is no node "nobody"' },
  ])
  const shown = await ask('GET', '/orders/v1/faulty')
  assert.equal(shown.status, 404)
})

test('code computes a value from its input, in TypeScript too, and code that takes too long fails alone', async () => {
  const path = await endpoint(
    flow(
      [
        {
          id: 'sum',
          type: 'code_node',
          config: {
            language: 'typescript',
            code: '({ items }: { items: { price: number; count: number }[] }): number => {\n  let sum: number = 0\n  for (const { price, count } of items) sum += price * count\n  return sum\n}',
          },
          inputs: { input: '{{ $.http.request.body }}' },
        },
        answer('ok', { body: { sum: '{{ $.sum.value }}' } }),
      ],
      ['http sum', 'sum ok'],
    ),
  )
  const items = [
    { price: 2, count: 3 },
    { price: 0.5, count: 1 },
  ]
  assert.deepEqual((await post(path, { items })).json, { sum: 6.5 })
  const failed = await post(path, {})
  assert.equal(failed.json.code, 'workflow_failed')
  assert.match((await recordOf(failed)).reason, /^node "sum": TypeError: /)

  const endless = await endpoint(
    flow(
      [
        { id: 'endless', type: 'code_node', config: { code: '() => { for (;;) {} }' }, on_error: 'handle' },
        answer('ok', {}),
        answer('late', { body: '{{ $.endless.error }}' }),
      ],
      ['http endless', 'endless ok', 'endless error late'],
    ),
  )
  const all = await Promise.all([get(endless), get(endless), post(path, { items })])
  assert.deepEqual(
    all.map(({ json }) => json),
    [
      { kind: 'timeout', message: 'the code took more than 100 ms' },
      { kind: 'timeout', message: 'the code took more than 100 ms' },
      { sum: 6.5 },
    ],
  )
  const wrong = await addProxy('No code', {
    methods: ['GET'],
    path: '/v1/no-code',
    workflow: flow(
      [{ id: 'bad', type: 'code_node', config: { code: '(x) => {' } }, answer('ok', {})],
      ['http bad', 'bad ok'],
    ),
  })
  assert.deepEqual([wrong.status, wrong.json.errors[0].pointer], [422, '/workflow/nodes/1/config/code'])
})

test('a run that fails after a call that had its effect leaves its idempotency key used', async () => {
  const path = await endpoint(
    flow(
      [
        { id: 'call', type: 'proxy_node', inputs: { path: '/charge' } },
        answer('ok', { body: '{{ $.call.body.missing }}' }),
      ],
      ['http call', 'call success ok'],
    ),
    { idempotency: true },
  )
  const before = upstream.seen.length
  const key = { 'idempotency-key': 'charge-1' }
  const failed = await post(path, { amount: 1 }, key)
  assert.equal(failed.json.code, 'workflow_failed')
  const again = await post(path, { amount: 1 }, key)
  assert.ok(again.status >= 400, again.text)
  assert.equal(upstream.seen.length, before + 1)
  assert.equal((await recordOf(failed)).upstream_status, 200)

  const down = await endpoint(
    flow(
      [
        { id: 'call', type: 'proxy_node', inputs: { path: '/down' } },
        answer('ok', { body: '{{ $.call.body.missing }}' }),
      ],
      ['http call', 'call success ok'],
    ),
    { idempotency: true },
  )
  for (const expected of [1, 2]) {
    const count = upstream.seen.length
    await post(down, { amount: 1 }, { 'idempotency-key': 'charge-2' })
    assert.equal(upstream.seen.length - count, 1, `try ${expected} is made`)
  }
})

test('expressions see numbers that no double holds as texts with all their digits', async () => {
  const path = await endpoint(
    flow(
      [
        answer('ok', {
          body: {
            same: '{{ $.http.request.body.id }}',
            inside: 'order-{{ $.http.request.body.id }}',
            large: '{{ $.http.request.body.large }}',
            parsed: '{{ json.parse("[9007199254740993]") }}',
            small: '{{ $.http.request.body.small }}',
          },
        }),
      ],
      ['http ok'],
    ),
  )
  const reply = await call('POST', `${server.running.gatewayUrl}${path}`, {
    token,
    headers: { 'content-type': 'application/json' },
    body: '{"id":9007199254740993,"large":1e400,"small":9007199254740991}',
  })
  assert.equal(
    reply.text,
    '{"same":"9007199254740993","inside":"order-9007199254740993","large":"1e400","parsed":["9007199254740993"],"small":9007199254740991}',
  )
  const schema = { type: 'object', properties: { id: { type: 'integer' } } }
  const check = {
    id: 'check',
    type: 'validate_node',
    config: { schema },
    inputs: { value: '{{ $.http.request.body }}' },
  }
  const whole = await endpoint(
    flow(
      [check, answer('ok', { body: '{{ $.http.request.body }}' }), answer('bad', {}, { status: 422 })],
      ['http check', 'check valid ok', 'check invalid bad'],
    ),
  )
  const same = await call('POST', `${server.running.gatewayUrl}${whole}`, {
    token,
    headers: { 'content-type': 'application/json' },
    body: '{ "id": 9007199254740993 }',
  })
  assert.equal(same.text, '{ "id": 9007199254740993 }', 'a schema judges the number that is passed on')
  const bad = await call('POST', `${server.running.gatewayUrl}${whole}`, {
    token,
    headers: { 'content-type': 'application/json' },
    body: '{ "id": "9007199254740993" }',
  })
  assert.equal(bad.status, 422)
})
