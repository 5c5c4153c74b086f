import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { startOrders } from './orders.ts'
import { call, type Reply } from './server.ts'

const CARD = '4111 1111 1111 1111'
const { server, upstream, token, ask, addProxy, executeCall, record, stop } = await startOrders()
after(stop)
const url = `${server.running.gatewayUrl}/orders`

let count = 0
/** Makes a guardrail for the time of a test. */
async function rule(
  members: Record<string, unknown>,
): Promise<AsyncDisposable & { id: string; slug: string }> {
  const slug = `rule-${++count}`
  const made = await server.manage('POST', '/guardrails', {
    name: slug,
    scope: { collections: ['orders'] },
    detector: { type: 'pii', kinds: ['card'] },
    action: 'mask',
    ...members,
  })
  assert.equal(made.status, 201, made.text)
  return {
    id: String(made.json.id),
    slug,
    async [Symbol.asyncDispose]() {
      const gone = await server.manage('DELETE', `/guardrails/${slug}`, { confirm: slug })
      assert.equal(gone.status, 200, gone.text)
    },
  }
}

/** Has the upstream answer all requests until the end of a test. */
function answers(type: string | null, body: string | Uint8Array, headers: Record<string, string> = {}) {
  const before = upstream.answer
  upstream.answer = (_seen, response) => {
    response.writeHead(200, { ...(type === null ? {} : { 'content-type': type }), ...headers }).end(body)
  }
  return {
    [Symbol.dispose]() {
      upstream.answer = before
    },
  }
}

const make = (body: unknown): Promise<Reply> => ask('POST', '/v1/orders', body)
const get = (headers: Record<string, string> = {}): Promise<Reply> =>
  ask('GET', '/v1/orders/7', undefined, headers)

test('a card in a JSON request is masked before the upstream gets it, and all else keeps its bytes', async () => {
  await using mask = await rule({ legs: ['request'] })
  const body = `{"a": 1.0, "big": 12345678901234567890, "card":"${CARD}", "n":4111111111111111}`
  const reply = await call('POST', `${url}/v1/orders`, {
    token,
    headers: { 'content-type': 'application/json' },
    body,
  })
  assert.equal(reply.status, 200, reply.text)
  assert.equal(
    upstream.seen.at(-1)!.body,
    '{"a": 1.0, "big": 12345678901234567890, "card":"********1111", "n":"********1111"}',
  )
  const { guardrail_hits: hits } = await record(reply.headers.get('x-request-id')!)
  assert.deepEqual(hits, [
    { rule: mask.id, detector: 'pii', leg: 'request', observed: false, action: 'mask', count: 2 },
  ])
})

test('a request that a guardrail blocks is 403 and reaches no upstream; the record names the rule and no value', async () => {
  await using block = await rule({ legs: ['request'], action: 'block' })
  const before = upstream.seen.length
  const reply = await make({ note: `pay with ${CARD}` })
  assert.equal(reply.status, 403)
  assert.deepEqual([reply.json.code, reply.json.guardrail], ['guardrail_blocked', block.slug])
  assert.equal(upstream.seen.length, before)
  const stored = await record(reply.headers.get('x-request-id')!)
  assert.deepEqual(
    [stored.check, stored.stopped_at, stored.failure_origin, stored.guardrail_hits[0].rule],
    ['guardrails', 15, 'policy', block.id],
  )
  assert.doesNotMatch(JSON.stringify(stored) + reply.text, /4111/)
})

test('values of the query and of form fields are changed; the path is looked at by rules that change nothing', async () => {
  await using mask = await rule({ legs: ['request'] })
  const asked = await call('GET', `${url}/v1/orders/7?a=x%20y&card=4111+1111+1111+1111&b`, { token })
  assert.equal(asked.json.url, '/v1/orders/7?a=x%20y&card=********1111&b')
  const form = await call('POST', `${url}/v1/orders`, {
    token,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'a=x+y&card=4111-1111-1111-1111',
  })
  assert.equal(form.json.body, 'a=x+y&card=********1111')
  const inPath = `${url}/v1/orders/4111111111111111`
  assert.equal((await call('GET', inPath, { token })).status, 200)
  assert.notEqual(mask.id, '')
  await using block = await rule({ legs: ['request'], action: 'block' })
  const refused = await call('GET', inPath, { token })
  assert.deepEqual([refused.status, refused.json.guardrail], [403, block.slug])
  const stored = await record(refused.headers.get('x-request-id')!)
  assert.equal(stored.path, '/orders/v1/orders/[REDACTED:card]')
  assert.doesNotMatch(JSON.stringify(stored), /4111/)
})

test('a request body that nothing is found in is sent on byte by byte, and so is a binary one', async () => {
  await using _mask = await rule({})
  for (const [type, body] of [
    ['application/json', '{"a": [1,  2.50], "a":"x"}'],
    ['application/octet-stream', '\x00\x01 order'],
    ['image/png', Buffer.from('\x89PNG\r\n\x1a\n\x00\x00', 'latin1').toString('latin1')],
  ] as const) {
    const reply = await call('POST', `${url}/v1/orders`, { token, headers: { 'content-type': type }, body })
    assert.equal(reply.status, 200, reply.text)
    assert.equal(upstream.seen.at(-1)!.body, body)
  }
})

test('a JSON response is changed field by field, without the tag and the digest of what the upstream sent', async () => {
  await using mask = await rule({ legs: ['response'] })
  using _upstream = answers('application/json', `{"id":12345678901234567890,"card":"${CARD}"}`, {
    etag: '"1"',
    'content-digest': 'sha-256=:abc=:',
    'x-kept': 'yes',
  })
  const reply = await get({ range: 'bytes=0-3', 'accept-encoding': 'gzip' })
  assert.equal(reply.text, '{"id":12345678901234567890,"card":"********1111"}')
  assert.deepEqual(
    ['etag', 'content-digest', 'x-kept', 'content-length'].map((name) => reply.headers.get(name)),
    [null, null, 'yes', String(reply.text.length)],
  )
  const { headers } = upstream.seen.at(-1)!
  assert.deepEqual([headers.range, headers['accept-encoding']], [undefined, undefined])
  const { guardrail_hits: hits } = await record(reply.headers.get('x-request-id')!)
  assert.deepEqual(
    hits.map(({ rule: id, leg, count: found }: Record<string, unknown>) => [id, leg, found]),
    [[mask.id, 'response', 1]],
  )
})

test('a response that is blocked is 502 response_blocked, for JSON, short text and lines alike', async () => {
  await using block = await rule({ legs: ['response'], action: 'block' })
  for (const [type, body] of [
    ['application/json', `{"card":"${CARD}"}`],
    ['text/plain', `card ${CARD}`],
    [null, `card ${CARD}`],
    ['application/x-ndjson', `{"card":"${CARD}"}\n{"a":1}\n`],
  ] as const) {
    using _upstream = answers(type, body)
    const reply = await get()
    assert.equal(reply.status, 502, `${type} ${reply.text}`)
    assert.deepEqual([reply.json.code, reply.json.guardrail], ['response_blocked', block.slug])
    const stored = await record(reply.headers.get('x-request-id')!)
    assert.deepEqual([stored.check, stored.code, stored.upstream_status], ['answer', 'response_blocked', 200])
  }
})

test('a text response is changed while it passes, wherever a value is split over chunks', async () => {
  await using _mask = await rule({ legs: ['response'] })
  const text = `${'word '.repeat(1000)}${CARD}${' more'.repeat(1000)}`
  const before = upstream.answer
  for (let cut = 4995; cut <= 5025; cut++) {
    upstream.answer = (_seen, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' })
      response.write(text.slice(0, cut))
      setImmediate(() => response.end(text.slice(cut)))
    }
    const reply = await get()
    assert.equal(reply.text, text.replace(CARD, '********1111'), `split at ${cut}`)
  }
  upstream.answer = before
})

test('a response that is blocked after its begin was sent breaks off, and the record says why', async () => {
  await using block = await rule({ legs: ['response'], action: 'block' })
  const before = upstream.answer
  upstream.answer = (_seen, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' })
    response.write('word '.repeat(10_000))
    setTimeout(() => response.end(` ${CARD} ${'end '.repeat(5000)}`), 50)
  }
  const response = await fetch(`${url}/v1/orders/7`, { headers: { authorization: `Bearer ${token}` } })
  assert.equal(response.status, 200)
  const received: Buffer[] = []
  await assert.rejects(async () => {
    for await (const piece of response.body!) received.push(Buffer.from(piece))
  })
  upstream.answer = before
  assert.doesNotMatch(Buffer.concat(received).toString(), /4111|end/)
  const stored = await record(response.headers.get('x-request-id')!)
  assert.deepEqual([stored.code, stored.check], ['response_blocked', 'answer'])
  assert.equal(stored.guardrail_hits[0].rule, block.id)
})

test('server-sent events are changed one by one, and JSON in their data stays JSON', async () => {
  await using _mask = await rule({ legs: ['response'] })
  using _upstream = answers(
    'text/event-stream',
    `: hello\n\nid: 1\nevent: order\ndata: {"card":"${CARD}","a":"\\u0034111 1111 1111 1111"}\nretry: 5\n\ndata: plain\ndata: ${CARD}\n\ndata: [DONE]\r\n\r\n`,
  )
  const reply = await get()
  assert.equal(
    reply.text,
    ': hello\n\nid: 1\nevent: order\ndata: {"card":"********1111","a":"********1111"}\nretry: 5\n\ndata: plain\ndata: ********1111\n\ndata: [DONE]\r\n\r\n',
  )
})

test('events reach the caller while the stream goes on', async () => {
  await using _mask = await rule({ legs: ['response'] })
  const before = upstream.answer
  let finish = (): void => {}
  upstream.answer = (_seen, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(`data: ${CARD}\n\n`)
    finish = () => response.end('data: last\n\n')
  }
  const response = await fetch(`${url}/v1/orders/7`, { headers: { authorization: `Bearer ${token}` } })
  const reader = response.body!.getReader()
  assert.equal(Buffer.from((await reader.read()).value!).toString(), 'data: ********1111\n\n')
  finish()
  assert.equal(Buffer.from((await reader.read()).value!).toString(), 'data: last\n\n')
  assert.equal((await reader.read()).done, true)
  upstream.answer = before
})

test('binary responses pass as they came', async () => {
  await using _mask = await rule({ legs: ['response'] })
  const bytes = Buffer.from([0, 255, 128, ...Buffer.from(CARD)])
  using _upstream = answers('application/pdf', bytes, { etag: '"1"' })
  const response = await fetch(`${url}/v1/orders/7`, { headers: { authorization: `Bearer ${token}` } })
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), bytes)
  assert.equal(response.headers.get('etag'), '"1"')
})

test('a compressed body is decoded within max_body and looked at, or refused by the rule', async () => {
  const packed = gzipSync(JSON.stringify({ card: CARD, text: 'x'.repeat(50_000) }))
  const send = (): Promise<Response> =>
    fetch(`${url}/v1/orders`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'content-encoding': 'gzip',
      },
      body: packed,
    })
  {
    await using _mask = await rule({})
    assert.equal((await send()).status, 200)
    const seen = upstream.seen.at(-1)!
    assert.equal(seen.headers['content-encoding'], undefined)
    assert.match(seen.body, /^\{"card":"\*{8}1111"/)
    using _upstream = answers('application/json', packed, { 'content-encoding': 'gzip' })
    const reply = await get()
    assert.equal(reply.headers.get('content-encoding'), null)
    assert.equal(reply.json.card, '********1111')
  }
  for (const members of [{ max_body: 10_000 }, { compressed: 'refuse' }]) {
    await using small = await rule(members)
    const response = await send()
    const problem = (await response.json()) as Record<string, unknown>
    assert.deepEqual([response.status, problem['guardrail']], [403, small.slug])
    using _upstream = answers('application/json', packed, { 'content-encoding': 'gzip' })
    assert.equal((await get()).json.code, 'response_blocked')
  }
  await using _passing = await rule({ max_body: 10_000, failure_mode: 'pass' })
  assert.equal((await send()).status, 200)
  assert.equal(upstream.seen.at(-1)!.headers['content-encoding'], 'gzip')
})

test('content that cannot be looked at is a failure: blocked, or passed by failure_mode', async () => {
  const bodies = [
    ['application/json', '{"a":'],
    ['text/plain', Buffer.from([0x61, 0xff, 0x62])],
    ['text/plain; charset=utf-16', 'x'],
    ['application/json', `{"a":"${'x'.repeat(3000)}"}`],
  ] as const
  const members = { legs: ['response'], max_body: 2000 }
  {
    await using closed = await rule(members)
    for (const [type, body] of bodies) {
      using _upstream = answers(type, body)
      const reply = await get()
      assert.deepEqual([reply.status, reply.json.guardrail], [502, closed.slug], type)
      assert.match(reply.json.detail, /cannot check the response/)
    }
  }
  await using passing = await rule({ ...members, failure_mode: 'pass' })
  for (const [type, body] of bodies) {
    using _upstream = answers(type, body)
    const response = await fetch(`${url}/v1/orders/7`, { headers: { authorization: `Bearer ${token}` } })
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), Buffer.from(body))
    const { guardrail_hits: hits } = await record(response.headers.get('x-request-id')!)
    assert.deepEqual([hits[0].rule, hits[0].action, hits[0].count], [passing.id, 'failed', 1])
  }
})

test('a rule that observes counts what it would do and changes nothing', async () => {
  await using observed = await rule({ mode: 'observe', action: 'block' })
  using _upstream = answers('text/plain', `card ${CARD}`)
  const reply = await make({ card: CARD })
  assert.equal(reply.text, `card ${CARD}`)
  assert.equal(upstream.seen.at(-1)!.body, JSON.stringify({ card: CARD }))
  const { guardrail_hits: hits } = await record(reply.headers.get('x-request-id')!)
  assert.deepEqual(
    hits,
    ['request', 'response'].map((leg) => ({
      rule: observed.id,
      detector: 'pii',
      leg,
      observed: true,
      action: 'block',
      count: 1,
    })),
  )
})

test('rules act in their order, each on what the one before has left', async () => {
  await using _later = await rule({ order: 2, action: 'block', legs: ['request'] })
  await using _first = await rule({ order: 1, action: 'redact', legs: ['request'] })
  assert.equal((await make({ card: CARD })).status, 200)
  assert.equal(upstream.seen.at(-1)!.body, '{"card":"[REDACTED:card]"}')
})

test('a rule acts where its scope says, from the next call on, and not while it is inactive', async () => {
  const made = await addProxy('Other', { methods: ['POST'], path: '/v1/others' })
  assert.equal(made.status, 201, made.text)
  const others = (): Promise<Reply> => ask('POST', '/v1/others', { card: CARD })
  await using one = await rule({ scope: { proxies: ['orders:other'] }, action: 'block' })
  assert.deepEqual([(await others()).status, (await make({ card: CARD })).status], [403, 200])
  await server.manage('PATCH', `/guardrails/${one.slug}`, { scope: { proxies: [], everywhere: true } })
  assert.deepEqual([(await others()).status, (await make({ card: CARD })).status], [403, 403])
  await server.manage('POST', `/guardrails/${one.slug}/toggle`, { active: false })
  assert.deepEqual([(await others()).status, (await make({ card: CARD })).status], [200, 200])
})

test('a call of an agent by execute_call meets the same rules', async () => {
  await using _mask = await rule({})
  using _upstream = answers('application/json', `{"card":"${CARD}"}`)
  const called = await executeCall({ endpoint: 'POST /orders/v1/orders', params: { body: { card: CARD } } })
  assert.deepEqual([called.status, called.body], [200, { card: '********1111' }])
  assert.equal(upstream.seen.at(-1)!.body, '{"card":"********1111"}')
  await using _block = await rule({
    detector: { type: 'regex', patterns: [{ name: 'x', pattern: 'secret' }] },
    action: 'block',
  })
  const refused = await executeCall({ endpoint: 'POST /orders/v1/orders', params: { body: { a: 'secret' } } })
  assert.equal(refused.code, 'guardrail_blocked')
})

test('a changed rule drops cached answers and answers to idempotency keys that it covers', async () => {
  await addProxy('Cached', { methods: ['GET'], path: '/v1/cached', cache: { ttl: '1h' } })
  await addProxy('Charge', { methods: ['POST'], path: '/v1/charges', idempotency: true })
  using _upstream = answers('application/json', `{"card":"${CARD}"}`)
  const cached = (): Promise<Reply> => ask('GET', '/v1/cached')
  const charge = (): Promise<Reply> => ask('POST', '/v1/charges', { card: CARD }, { 'idempotency-key': 'k1' })
  const kept = async () => [(await cached()).headers.get('x-cache'), (await cached()).text]
  assert.deepEqual(await kept(), ['MISS', `{"card":"${CARD}"}`])
  assert.equal((await charge()).text, `{"card":"${CARD}"}`)
  const masked = '{"card":"********1111"}'
  {
    await using mask = await rule({})
    assert.deepEqual(await kept(), ['MISS', masked])
    assert.deepEqual([(await cached()).headers.get('x-cache')], ['HIT'])
    const again = await charge()
    assert.deepEqual([again.status, again.json.code], [409, 'idempotency_conflict'])
    assert.match(again.json.detail, /guardrails of the endpoint have changed/)
    const next = (): Promise<Reply> => ask('POST', '/v1/charges', { card: CARD }, { 'idempotency-key': 'k2' })
    assert.equal((await next()).text, masked)
    const replayed = await next()
    assert.deepEqual([replayed.text, replayed.headers.get('idempotency-replayed')], [masked, 'true'])
    await server.manage('PATCH', `/guardrails/${mask.slug}`, { action: 'redact' })
    assert.deepEqual(await kept(), ['MISS', '{"card":"[REDACTED:card]"}'])
    assert.equal((await next()).status, 409)
  }
  // A rule that only observes leaves the same answer
  await cached()
  await using _observed = await rule({ mode: 'observe' })
  assert.equal((await cached()).headers.get('x-cache'), 'HIT')
})

test('the response of a workflow passes the same rules', async () => {
  const made = await addProxy('Flow', {
    methods: ['POST'],
    path: '/v1/flow',
    workflow: {
      nodes: [
        { id: 'http', type: 'http_trigger' },
        {
          id: 'answer',
          type: 'response_node',
          inputs: { body: { got: '{{ $.http.request.body }}', card: CARD } },
        },
      ],
      edges: [{ from: 'http', to: 'answer' }],
    },
  })
  assert.equal(made.status, 201, made.text)
  await using _mask = await rule({})
  const reply = await ask('POST', '/v1/flow', { iban: 'x', card: CARD })
  assert.equal(reply.status, 200, reply.text)
  assert.doesNotMatch(reply.text, /4111/)
})

test('hashes of one guardrail are equal for equal values, over a new key of the vault too, and the key is shown nowhere', async () => {
  await using hashed = await rule({ action: 'hash', legs: ['request'] })
  const hashOf = async (card: string): Promise<string> => {
    assert.equal((await make({ card })).status, 200)
    return JSON.parse(upstream.seen.at(-1)!.body).card
  }
  const first = await hashOf(CARD)
  assert.match(first, /^\[HASH:card:[0-9a-f]{24}\]$/)
  assert.equal(await hashOf('4111-1111-1111-1111'), first)
  assert.notEqual(await hashOf('5500 0000 0000 0004'), first)
  assert.equal((await server.manage('POST', '/keys/rotate', {})).status, 200)
  assert.equal(await hashOf(CARD), first)
  const shown = await server.manage('GET', `/guardrails/${hashed.slug}`)
  assert.deepEqual(
    [shown.json.action, 'hash_key' in shown.json, 'auth' in shown.json],
    ['hash', false, false],
  )
  const definition = { detector: { type: 'pii' }, action: 'hash' }
  const tested = await server.manage('POST', '/guardrails/test', { definition, sample: CARD })
  assert.match(tested.json.result, /^\[HASH:card:/)
  assert.notEqual(tested.json.result, first)
})

test('a path that a lenient server may read as one with more guardrails is refused', async () => {
  for (const [name, path] of [
    ['Any file', '/v1/files/{name}'],
    ['Secret file', '/v1/files/secret'],
  ] as const)
    assert.equal((await addProxy(name, { methods: ['GET'], path })).status, 201)
  const upper = (): Promise<Reply> => ask('GET', '/v1/files/SECRET')
  assert.equal((await upper()).status, 200)
  await using _one = await rule({ scope: { proxies: ['orders:secret-file'] } })
  const refused = await upper()
  assert.deepEqual([refused.status, refused.json.code], [400, 'request_not_canonical'])
  assert.equal((await ask('GET', '/v1/files/other')).status, 200)
  await using _all = await rule({})
  assert.equal((await upper()).status, 400)
})

test('a content that is too long for one rule is looked at by the others', async () => {
  await using _small = await rule({
    max_body: 1024,
    failure_mode: 'pass',
    action: 'block',
    legs: ['request'],
  })
  await using _mask = await rule({ legs: ['request'] })
  assert.equal((await make({ card: CARD, text: 'x'.repeat(2000) })).status, 200)
  assert.match(upstream.seen.at(-1)!.body, /\*{8}1111/)
  assert.equal((await make({ card: CARD })).status, 403)
})

test('the metrics page counts what guardrails found, by guardrail, leg and outcome', async () => {
  await using mask = await rule({ legs: ['request'], order: 1 })
  await using observed = await rule({ legs: ['request'], mode: 'observe', order: 0 })
  const reply = await make([CARD, CARD])
  await record(reply.headers.get('x-request-id')!)
  const page = await (await fetch(`${server.running.controlUrl}/metrics`)).text()
  for (const [slug, outcome] of [
    [mask.slug, 'changed'],
    [observed.slug, 'observed'],
  ])
    assert.match(
      page,
      new RegExp(
        `postern_guardrail_hits_total\\{guardrail="${slug}",leg="request",outcome="${outcome}"\\} 2\n`,
      ),
    )
})

test('limits of size block a request that is too large, too deep or too long', async () => {
  await using _size = await rule({
    detector: { type: 'size', bytes: 200, depth: 3, items: 5 },
    action: 'block',
    legs: ['request'],
  })
  assert.equal((await make({ a: 1 })).status, 200)
  for (const body of [{ a: 'x'.repeat(300) }, { a: { b: { c: { d: 1 } } } }, [1, 2, 3, 4, 5, 6]])
    assert.equal((await make(body)).status, 403)
})

test('a guardrail names what is wrong with it', async () => {
  const base = { name: 'x', scope: { everywhere: true }, detector: { type: 'pii' }, action: 'log' }
  const faults = async (members: Record<string, unknown>): Promise<unknown> => {
    const { status, json } = await server.manage('POST', '/guardrails', { ...base, ...members })
    assert.equal(status, 400, JSON.stringify(json))
    return json.errors[0].pointer
  }
  assert.equal(await faults({ scope: {} }), '/scope/everywhere')
  assert.equal(await faults({ detector: { type: 'pii', kinds: ['passport'] } }), '/detector/kinds')
  assert.equal(await faults({ detector: { type: 'regex' } }), '/detector/patterns')
  const backward = { type: 'regex', patterns: [{ name: 'x', pattern: '(a)\\1' }] }
  assert.equal(await faults({ detector: backward }), '/detector/patterns/0/pattern')
  assert.equal(await faults({ action: 'replace' }), '/text')
  assert.equal(await faults({ detector: { type: 'size', bytes: 1 }, action: 'mask' }), '/action')
})

test('a collection and a proxy that a guardrail names cannot be deleted', async () => {
  await using _one = await rule({ scope: { proxies: ['orders:get-order'] } })
  const gone = await server.manage('DELETE', '/proxies/orders:get-order', { confirm: 'get-order' })
  assert.deepEqual([gone.status, gone.json.code], [409, 'in_use'])
  const whole = await server.manage('DELETE', '/collections/orders', { confirm: 'orders' })
  assert.deepEqual([whole.status, whole.json.code], [409, 'in_use'])
})
