/** Workflows that run others, once or for each item of a list: what they see, their order and their bounds. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { after, test } from 'node:test'
import { answer, type Definition, flow, startFlows } from './flows.ts'

const { server, upstream, token, endpoint, get, post, share, record, executeCall, stop } = await startFlows()
after(stop)
upstream.answer = ({ url, body }, response) => {
  response
    .writeHead(url.startsWith('/down') ? 500 : 200, { 'content-type': 'application/json' })
    .end(JSON.stringify({ url, body }))
}

const inner = (workflow: string, more: object = {}): object => ({
  id: 'inner',
  type: 'subworkflow_node',
  config: { workflow },
  inputs: { input: '{{ $.http.request.body }}' },
  ...more,
})
const outer = (workflow: string, more: object = {}): Definition =>
  flow(
    [
      inner(workflow, more),
      answer('ok', {
        status: '{{ $.inner.status }}',
        headers: '{{ $.inner.headers }}',
        body: '{{ $.inner.body }}',
      }),
      answer('bad', { body: '{{ $.inner.error }}' }, { status: 502 }),
    ],
    ['http inner', 'inner success ok', 'inner error bad'],
  )
const each = (workflow: string, config: object = {}): Definition =>
  flow(
    [
      {
        id: 'each',
        type: 'foreach_node',
        config: { workflow, ...config },
        inputs: { items: '{{ $.http.request.body }}' },
      },
      answer('ok', { body: '{{ $.each.items.map(i, i.body) }}' }),
    ],
    ['http each', 'each success ok'],
  )
async function shared(name: string, definition: Definition): Promise<void> {
  const made = await share(name, definition)
  assert.equal(made.status, 201, made.text)
}
async function reasonOf(reply: { readonly headers: Headers }): Promise<string> {
  return (await record(reply.headers.get('x-request-id')!)).reason
}

test('an inner workflow sees the request of the caller with the input as its body, and its response is the output', async () => {
  await shared(
    'Seen',
    flow(
      [
        answer(
          'ok',
          {
            headers: { 'X-Of': '{{ $.http.request.client }}', 'Set-Cookie': ['a=1', 'b=2'] },
            body: { query: '{{ $.http.request.query.q }}', body: '{{ $.http.request.body }}' },
          },
          { status: 201 },
        ),
      ],
      ['http ok'],
    ),
  )
  const path = await endpoint(
    outer('seen', { inputs: { input: { given: '{{ $.http.request.body.value }}' } } }),
  )
  const reply = await post(`${path}?q=7`, { value: [1, 'ü'] })
  assert.deepEqual([reply.status, reply.json], [201, { query: '7', body: { given: [1, 'ü'] } }])
  assert.equal(reply.headers.get('x-of'), 'acme')
  assert.deepEqual(reply.headers.getSetCookie(), ['a=1', 'b=2'])
  const agent = await executeCall({
    endpoint: `POST ${path}`,
    params: { query: { q: '7' }, body: { value: 1 } },
  })
  assert.deepEqual([agent.status, agent.body], [201, { query: '7', body: { given: 1 } }])
  const none = await endpoint(outer('seen', { inputs: {} }))
  assert.deepEqual((await post(`${none}?q=1`, { secret: 1 })).json, { query: '1', body: null })
})

test('a call of the upstream within an inner workflow passes the input on, also where it is the last node', async () => {
  await shared(
    'Calls',
    flow(
      [
        { id: 'call', type: 'proxy_node', inputs: { path: '/inner' } },
        answer('ok', {
          status: '{{ $.call.status }}',
          headers: '{{ $.call.headers }}',
          body: '{{ $.call.body }}',
        }),
      ],
      ['http call', 'call success ok'],
    ),
  )
  const path = await endpoint(outer('calls', { inputs: { input: { n: 1 } } }))
  assert.deepEqual((await post(path, { not: 'this' })).json, { url: '/inner', body: '{"n":1}' })
})

test('items run in bounded concurrency, and their responses stand in the order of the list', async () => {
  await shared(
    'Echo',
    flow(
      [
        {
          id: 'call',
          type: 'proxy_node',
          inputs: { path: '/item-{{ $.http.request.body }}', body: null },
          config: { method: 'GET' },
        },
        answer('ok', { body: { item: '{{ $.http.request.body }}', url: '{{ $.call.body.url }}' } }),
      ],
      ['http call', 'call success ok'],
    ),
  )
  const path = await endpoint(each('echo', { concurrency: 4 }))
  const items = Array.from({ length: 20 }, (_, n) => n)
  const before = upstream.answer
  let underWay = 0
  let most = 0
  upstream.answer = (seen, response) => {
    most = Math.max(most, ++underWay)
    // The later an item, the sooner its answer
    setTimeout(
      () => {
        underWay--
        before(seen, response)
      },
      20 - Number(seen.url.split('-')[1]),
    )
  }
  const reply = await post(path, items).finally(() => {
    upstream.answer = before
  })
  assert.deepEqual(
    reply.json,
    items.map((item) => ({ item, url: `/item-${item}` })),
  )
  assert.ok(most > 1 && most <= 4, `${most}`)
  assert.deepEqual((await post(path, [])).json, [])
})

test('executions of inner workflows count against the budget of the run, and lists are bounded', async () => {
  await shared('Tiny', flow([answer('ok', { body: '{{ $.http.request.body }}' })], ['http ok']))
  const path = await endpoint(each('tiny', { max_items: 1000 }))
  // The trigger, the list, two nodes for each item, and the response
  const most = Array.from({ length: 98 }, (_, n) => n)
  assert.deepEqual((await post(path, most)).json, most)
  const over = await post(path, [...most, 98, 99])
  assert.deepEqual([over.status, over.json.code], [500, 'workflow_failed'])
  assert.match(await reasonOf(over), /the run executed more than 200 nodes/)
  const short = await endpoint(each('tiny', { max_items: 2 }))
  for (const [body, reason] of [
    [[1, 2, 3], 'there are 3 items, more than 2'],
    [{ length: 1 }, 'items is no list'],
    ['"abc"', 'items is no list'],
  ] as const)
    assert.equal(await reasonOf(await post(short, body)), `node "each": ${reason}`)
})

test('a failure within names node and item for the record alone, and its status can be handled', async () => {
  await shared('Fails', flow([answer('ok', { body: '{{ $.http.request.body.missing }}' })], ['http ok']))
  const plain = await post(await endpoint(outer('fails')), { a: 1 })
  assert.deepEqual([plain.status, plain.json.code], [500, 'workflow_failed'])
  assert.ok(!plain.text.includes('missing'))
  assert.equal(await reasonOf(plain), 'node "inner": node "ok": there is no member missing')
  const handled = await post(await endpoint(outer('fails', { on_error: 'handle' })), { a: 1 })
  assert.deepEqual([handled.status, handled.json.kind], [502, 'workflow_failed'])
  const items = await post(await endpoint(each('fails', { concurrency: 2 })), [{ missing: 1 }, {}, {}])
  assert.match(await reasonOf(items), /^node "each": item [12]: node "ok": there is no member missing$/)
  await shared('Teapot', flow([answer('ok', { body: 'x' }, { status: 503 })], ['http ok']))
  const retried = await post(await endpoint(outer('teapot', { on_error: 'handle' })), {})
  assert.deepEqual(retried.json, { kind: '503', message: 'it answered 503' })
})

test('a change of an inner workflow holds at the next call, and one that is run can neither go nor lead to itself', async () => {
  const said = (text: string) => flow([answer('ok', { body: text })], ['http ok'])
  await shared('Leaf', said('one'))
  await shared('Middle', outer('leaf'))
  const path = await endpoint('middle')
  assert.equal((await get(path)).json, 'one')
  const changed = await server.manage('PATCH', '/workflows/leaf', { definition: said('two') })
  assert.equal(changed.status, 200, changed.text)
  for (let again = 0; again < 6; again++) assert.equal((await get(path)).json, 'two')
  assert.equal((await server.manage('DELETE', '/workflows/leaf?confirm=leaf')).json.code, 'in_use')
  const circle = await server.manage('PATCH', '/workflows/leaf', { definition: outer('middle') })
  assert.deepEqual(circle.json.errors, [
    { pointer: '/definition/nodes/1/config/workflow', reason: 'it leads back to this workflow' },
  ])
  const faulty = await server.manage('PATCH', '/workflows/leaf', { definition: said('{{ $.nobody }}') })
  assert.equal(faulty.json.code, 'configuration_invalid')
  assert.equal((await get(path)).json, 'two')
})

test('a caller that leaves ends what its inner workflows have under way', async () => {
  await shared(
    'Slow',
    flow(
      [{ id: 'call', type: 'proxy_node', inputs: { path: '/slow' } }, answer('ok', {})],
      ['http call', 'call success ok'],
    ),
  )
  const path = await endpoint(each('slow', { concurrency: 3 }))
  const before = upstream.answer
  const asked = Promise.withResolvers<void>()
  const gone = Promise.withResolvers<void>()
  let count = 0
  upstream.answer = (_seen, response) => {
    response.once('close', () => --count === 0 && gone.resolve())
    if (++count === 3) asked.resolve()
  }
  try {
    const outgoing = request(`${server.running.gatewayUrl}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    })
    outgoing.end('[1,2,3,4,5]')
    await asked.promise
    outgoing.destroy()
    await once(outgoing, 'error')
    await gone.promise
  } finally {
    upstream.answer = before
  }
})
