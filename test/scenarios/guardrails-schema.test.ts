/** Guardrails on what a content has to be: JSON that fits a schema, and forms with files. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startOrders } from './orders.ts'
import { call, type Reply } from './server.ts'

const CARD = '4111 1111 1111 1111'
const { server, upstream, token, ask, record, stop } = await startOrders()
after(stop)
const url = `${server.running.gatewayUrl}/orders/v1/orders`

async function rule(members: Record<string, unknown>): Promise<AsyncDisposable & { id: string }> {
  const made = await server.manage('POST', '/guardrails', {
    name: 'Rule',
    scope: { collections: ['orders'] },
    action: 'block',
    ...members,
  })
  assert.equal(made.status, 201, made.text)
  return {
    id: String(made.json.id),
    async [Symbol.asyncDispose]() {
      assert.equal((await server.manage('DELETE', '/guardrails/rule', { confirm: 'rule' })).status, 200)
    },
  }
}

const schema = {
  type: 'object',
  properties: { amount: { type: 'number', maximum: 100 } },
  required: ['amount'],
}
const send = (type: string, body: string): Promise<Reply> =>
  call('POST', url, { token, headers: { 'content-type': type }, body })

test('a request that does not fit the schema of a guardrail is blocked, and so is one that is not JSON', async () => {
  await using guard = await rule({ legs: ['request'], detector: { type: 'schema', schema } })
  assert.equal((await send('application/json', '{"amount": 5}')).status, 200)
  assert.equal(
    (await ask('GET', '/v1/orders/7?amount=1000')).status,
    200,
    'without a body there is nothing to fit',
  )
  const before = upstream.seen.length
  for (const [type, body] of [
    ['application/json', '{"amount": 500}'],
    ['application/json', '{"amount": '],
    ['text/plain', '{"amount": 5}'],
    ['application/octet-stream', '{"amount": 5}'],
    ['application/x-www-form-urlencoded', 'amount=5'],
  ] as const) {
    const reply = await send(type, body)
    assert.deepEqual([reply.status, reply.json.code], [403, 'guardrail_blocked'], type)
  }
  assert.equal(upstream.seen.length, before)
  const reply = await send('application/json', '{"amount": 500}')
  const { guardrail_hits: hits } = await record(reply.headers.get('x-request-id')!)
  assert.deepEqual(hits, [
    { rule: guard.id, detector: 'schema', leg: 'request', observed: false, action: 'block', count: 1 },
  ])
})

test('a response that does not fit is blocked, whatever its media type', async () => {
  await using _guard = await rule({ legs: ['response'], detector: { type: 'schema', schema } })
  const before = upstream.answer
  for (const [type, body, status] of [
    ['application/json', '{"amount": 5}', 200],
    ['application/json', '{"amount": 500}', 502],
    ['text/plain', '{"amount": 5}', 502],
    ['application/pdf', '{"amount": 5}', 502],
  ] as const) {
    upstream.answer = (_seen, response) => {
      response.writeHead(200, { 'content-type': type }).end(body)
    }
    const reply = await ask('GET', '/v1/orders/7')
    assert.equal(reply.status, status, `${type} ${reply.text}`)
  }
  upstream.answer = before
})

test('a schema that cannot be used is refused, and so are actions that would change the content', async () => {
  const faults = async (members: object): Promise<string> => {
    const { status, json } = await server.manage('POST', '/guardrails', {
      name: 'x',
      scope: { everywhere: true },
      action: 'block',
      detector: { type: 'schema', schema: {} },
      ...members,
    })
    assert.equal(status, 400, JSON.stringify(json))
    return json.errors[0].pointer
  }
  assert.equal(await faults({ detector: { type: 'schema' } }), '/detector/schema')
  assert.equal(
    await faults({ detector: { type: 'schema', schema: { type: 'nothing' } } }),
    '/detector/schema',
  )
  assert.equal(
    await faults({ detector: { type: 'schema', schema: { pattern: '(a)\\1' } } }),
    '/detector/schema',
  )
  assert.equal(await faults({ action: 'mask' }), '/action')
  assert.equal(await faults({ legs: ['list'] }), '/legs')
})

test('fields of a form with files are changed, and its files pass', async () => {
  await using _guard = await rule({ legs: ['request'], detector: { type: 'pii' }, action: 'mask' })
  const form = new FormData()
  form.set('note', `pay ${CARD}`)
  form.set('file', new Blob([CARD], { type: 'text/plain' }), 'a.txt')
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: form,
  })
  assert.equal(response.status, 200)
  const seen = upstream.seen.at(-1)!
  const read = await new Response(seen.body, {
    headers: { 'content-type': String(seen.headers['content-type']) },
  }).formData()
  assert.equal(read.get('note'), 'pay ********1111')
  assert.equal(await (read.get('file') as File).text(), CARD)
  const reply = await send(
    'multipart/form-data; boundary=x',
    '--x\nContent-Disposition: form-data; name="a"\n\nb\n--x--',
  )
  assert.equal(reply.status, 403)
  assert.match(reply.json.detail, /cannot check the request/)
})
