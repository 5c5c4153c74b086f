/** Rates in workflows: exact over gateway threads, apart for keys, nodes and workflows. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { answer, type Definition, flow, startFlows } from './flows.ts'

const { server, endpoint, get, post, share, record, stop } = await startFlows()
after(stop)

const limited = (max: number, key = '{{ $.http.request.query.key }}', more: object = {}): Definition =>
  flow(
    [
      {
        id: 'rate',
        type: 'rate_limit_node',
        config: { max, window: '1m' },
        inputs: { key, ...more },
      },
      answer('ok', { body: '{{ $.rate.remaining }}' }),
      answer('no', { body: '{{ $.rate.reset_ms }}' }, { status: 429 }),
    ],
    ['http rate', 'rate true ok', 'rate false no'],
  )

test('two gateway threads admit together exactly as many as the max, for each key, until the window has passed', async () => {
  const path = await endpoint(limited(10))
  const asked = (key: string, count: number) =>
    Promise.all(Array.from({ length: count }, () => get(`${path}?key=${key}`)))
  const replies = [...(await asked('a', 20)), ...(await asked('a', 20))]
  assert.equal(replies.filter(({ status }) => status === 200).length, 10)
  assert.equal(replies.filter(({ status }) => status === 429).length, 30)
  const left = replies.filter(({ status }) => status === 200).map(({ json }) => json)
  assert.deepEqual(
    left.sort((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  )
  for (const { status, json } of replies) assert.ok(status === 200 || (json > 0 && json <= 60_000))
  const others = await asked('b', 10)
  assert.ok(others.every(({ status }) => status === 200))
  server.moveClock(61_000)
  assert.equal((await get(`${path}?key=a`)).status, 200)
})

test('the same key at another node, another proxy and another workflow has a counter of its own', async () => {
  const own = limited(1, 'same')
  const [one, other] = [await endpoint(own), await endpoint(own)]
  assert.deepEqual([(await get(one)).status, (await get(one)).status], [200, 429])
  assert.equal((await get(other)).status, 200)
  const made = await share('Limited', own)
  assert.equal(made.status, 201, made.text)
  const shared = [await endpoint('limited'), await endpoint('limited')]
  assert.equal((await get(shared[0]!)).status, 200)
  // Proxies that share a workflow share its counters
  assert.equal((await get(shared[1]!)).status, 429)
  const changed = await server.manage('PATCH', '/workflows/limited', { definition: limited(2, 'same') })
  assert.equal(changed.status, 200, changed.text)
  assert.deepEqual([(await get(shared[0]!)).status, (await get(shared[1]!)).status], [200, 429])
})

test('a cost takes several units, and one that is left takes no more than there are', async () => {
  const path = await endpoint(limited(5, 'all', { cost: '{{ $.http.request.body.cost }}' }))
  const costs = [3, 3, 2, 1]
  const statuses: number[] = []
  for (const cost of costs) statuses.push((await post(path, { cost })).status)
  assert.deepEqual(statuses, [200, 429, 200, 429])
})

test('keys and costs of any other form end in a failure that the record names, and count nothing', async () => {
  const path = await endpoint(
    flow(
      [
        {
          id: 'rate',
          type: 'rate_limit_node',
          config: { max: 1, window: '1m' },
          inputs: { key: '{{ $.http.request.body.key }}', cost: '{{ $.http.request.body.cost }}' },
        },
        answer('ok', {}),
      ],
      ['http rate', 'rate true ok', 'rate false ok'],
    ),
  )
  for (const [body, reason] of [
    [{ key: 'x'.repeat(5000), cost: 1 }, 'key is no text of 1 to 1024 characters'],
    [{ key: { a: 1 }, cost: 1 }, 'key is no text of 1 to 1024 characters'],
    [{ key: 'a', cost: 2 }, 'cost is no whole number from 1 to 1'],
  ] as const) {
    const reply = await post(path, body)
    assert.deepEqual([reply.status, reply.json.code], [500, 'workflow_failed'])
    assert.equal((await record(reply.headers.get('x-request-id')!)).reason, `node "rate": ${reason}`)
  }
  for (const key of ['__proto__', 'constructor', 'a\r\nb', 'ü'])
    assert.equal((await post(path, { key, cost: 1 })).status, 200, key)
})
