/** Request records that callers follow as they are stored: by REST, as a stream of events, and on the command line. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { runCommand } from './cli.ts'
import { publishOrders, startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let upstream: TestUpstream
let server: TestServer
let token: string
before(async () => {
  upstream = await startUpstream()
  server = await startTestServer({ workers: 2 })
  token = await publishOrders(server, upstream.url)
})
after(async () => {
  await server?.stop()
  await upstream?.[Symbol.asyncDispose]()
})

/** Makes a call, and gives the id of its record. */
async function called(path = '/orders/v1/orders/7'): Promise<string> {
  return (await server.gateway('GET', path, { token })).headers.get('x-request-id')!
}
const follow = (query: string, as?: string) =>
  server.manage('GET', `/records/follow?${query}`, undefined, as === undefined ? {} : { token: as })
const idsOf = (items: readonly { readonly id: string }[]): string[] => items.map(({ id }) => id)
const issue = (grants: string[]) => server.running.issueToken({ ttl: '1h', name: 'follower', grants })

/** The events of a stream. */
async function open(as: string, query = '', lastId?: string) {
  const leaving = new AbortController()
  const answer = await fetch(`${server.running.controlUrl}/management/v1/records/follow?${query}`, {
    headers: {
      authorization: `Bearer ${as}`,
      accept: 'text/event-stream',
      ...(lastId !== undefined && { 'last-event-id': lastId }),
    },
    signal: leaving.signal,
  })
  async function* events(): AsyncGenerator<{ type: string; id: string; data: string }> {
    let rest = ''
    let id = ''
    for await (const piece of answer.body!.pipeThrough(new TextDecoderStream())) {
      rest += piece
      const blocks = rest.split('\n\n')
      rest = blocks.pop()!
      for (const block of blocks) {
        const fields = new Map(block.split('\n').map((line) => line.split(/: ?(.*)/s) as [string, string]))
        id = fields.get('id') ?? id
        yield { type: fields.get('event') ?? '', id, data: fields.get('data') ?? '' }
      }
    }
  }
  const reading = events()
  /** The next event of a type; those of other types are skipped. */
  const next = async (type: string): Promise<{ type: string; id: string; data: string }> => {
    for (;;) {
      const { value, done } = await reading.next()
      if (done === true) throw new Error(`the stream ended without ${type}`)
      if (value.type === type) return value
    }
  }
  return { answer, next, leave: () => leaving.abort(), ended: async () => (await reading.next()).done }
}

test('without a cursor a follower begins now; with one it gets what was stored since, in that order', async () => {
  await called()
  const start = await follow('wait=0')
  assert.deepEqual([start.status, start.json.items, start.json.missed], [200, [], false])
  const waiting = follow(`wait=25&cursor=${start.json.next_cursor}`)
  const first = await called()
  assert.deepEqual(idsOf((await waiting).json.items), [first])
  const { next_cursor: cursor } = (await waiting).json
  const second = await called()
  const third = follow(`wait=25&cursor=${cursor}`)
  const { json } = await third
  assert.deepEqual(idsOf(json.items), [second])
  assert.deepEqual((await follow(`wait=0&cursor=${json.next_cursor}`)).json.items, [])
  // Who asks again with the same cursor gets the same
  assert.deepEqual(idsOf((await follow(`wait=0&cursor=${cursor}`)).json.items), [second])
})

test('a follower is given only what fits the filters', async () => {
  const { json } = await follow('wait=0')
  const waiting = follow(`wait=25&status=4xx&collection=orders&cursor=${json.next_cursor}`)
  await called()
  const refused = await called('/orders/v1/nothing')
  const { items } = (await waiting).json
  assert.deepEqual(idsOf(items), [refused])
  assert.equal(items[0].collection_slug, 'orders')
})

test('an unknown cursor says that records were missed, and a wrong filter is refused', async () => {
  const { json } = await follow('wait=0&cursor=000000000000.1.1')
  assert.equal(json.missed, true)
  for (const query of ['wait=26', 'wait=-1', 'limit=0', 'from=-1h', 'collection='])
    assert.equal((await follow(query)).status, 400, query)
})

test('grants within a scope follow the records of that scope alone', async () => {
  const other = {
    name: 'Other',
    slug: 'other',
    base_path: '/other',
    upstream: { targets: [{ url: upstream.url }] },
  }
  assert.equal((await server.manage('POST', '/collections', other)).status, 201)
  const narrow = await issue(['viewer@other'])
  const auditor = await issue(['viewer@orders'])
  const nobody = await issue(['viewer:policies'])
  assert.equal((await follow('wait=0', nobody.token)).status, 403)
  const { json } = await follow('wait=0', narrow.token)
  const id = await called()
  const all = await follow(`wait=25&cursor=${json.next_cursor}`, auditor.token)
  assert.deepEqual(idsOf(all.json.items), [id])
  assert.deepEqual((await follow(`wait=0&cursor=${json.next_cursor}`, narrow.token)).json.items, [])
})

test('a caller that follows as often as it may leaves places to others', async () => {
  const greedy = await issue(['auditor'])
  const { json } = await follow('wait=0', greedy.token)
  const waiting = Array.from({ length: 20 }, () =>
    follow(`wait=25&path=/orders/v1/orders/greedy&cursor=${json.next_cursor}`, greedy.token),
  )
  const refused = await Promise.any(
    waiting.map(async (one) => ((await one).status === 503 ? one : Promise.reject(new Error('not refused')))),
  )
  assert.match(refused.json.detail, /You already follow request records 16 times/)
  const other = await issue(['auditor'])
  assert.equal((await follow(`wait=0&cursor=${json.next_cursor}`, other.token)).status, 200)
  await called('/orders/v1/orders/greedy')
  assert.equal((await Promise.all(waiting)).filter(({ status }) => status === 200).length, 16)
})

test('a stream of events gives each record as it is stored, and goes on after its last id', async () => {
  const stream = await open(server.adminToken)
  assert.equal(stream.answer.headers.get('content-type'), 'text/event-stream')
  assert.equal(stream.answer.headers.get('cache-control'), 'no-store')
  const { id: start } = await stream.next('')
  const first = await called()
  assert.equal(JSON.parse((await stream.next('record')).data).id, first)
  stream.leave()
  const second = await called()
  const again = await open(server.adminToken, '', start)
  assert.equal(JSON.parse((await again.next('record')).data).id, first)
  assert.equal(JSON.parse((await again.next('record')).data).id, second)
  again.leave()
})

test('a stream ends with an error event once its token is worth nothing, without what was called since', async () => {
  const follower = await server.running.issueToken({ ttl: '1m', name: 'short', role: 'viewer' })
  const stream = await open(follower.token)
  await stream.next('')
  server.moveClock(61_000)
  await called()
  const { data } = await stream.next('error')
  assert.equal(JSON.parse(data).code, 'credential_expired')
  assert.equal(await stream.ended(), true)
})

test('a HEAD request does not wait', async () => {
  const { json } = await follow('wait=0')
  const url = `${server.running.controlUrl}/management/v1/records/follow?wait=25&cursor=${json.next_cursor}`
  const answer = await fetch(url, {
    method: 'HEAD',
    headers: { authorization: `Bearer ${server.adminToken}` },
    // Half of what it would wait for
    signal: AbortSignal.timeout(12_500),
  })
  assert.equal(answer.status, 200)
})

test('a refusal before the stream is a problem, not a stream', async () => {
  const { answer } = await open('pst_nothing')
  assert.deepEqual([answer.status, answer.headers.get('content-type')], [401, 'application/problem+json'])
})

test('the command line prints records as they come, as lines of JSON, until the count is reached', async () => {
  const running = runCommand(server.data, [
    'records',
    'follow',
    '--count',
    '2',
    '-o',
    'json',
    '--client',
    'acme',
  ])
  let isDone = false
  void running.finally(() => {
    isDone = true
  })
  const made = new Set<string>()
  while (!isDone) made.add(await called())
  const { code, out } = await running
  assert.equal(code, 0)
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { id: string })
  assert.equal(lines.length, 2)
  for (const { id } of lines) assert.ok(made.has(id))
})

test('a stop ends the streams that are open', async () => {
  await using other = await startTestServer()
  const answer = await fetch(`${other.running.controlUrl}/management/v1/records/follow`, {
    headers: { authorization: `Bearer ${other.adminToken}`, accept: 'text/event-stream' },
  })
  const reading = answer.text().catch(() => 'cut off')
  await other.stop()
  await reading
})
