import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually as wait } from '../support/eventually.ts'
import { accept, startWebhook, WEBHOOK_SECRET, type WebhookReceiver } from '../support/sink-receivers.ts'
import { databaseOf } from '../support/test-database.ts'
import { killNow, startUp, temporaryDirectory } from './process.ts'
import { call, publishOrders, startTestServer, type TestServer } from './server.ts'
import { startUpstream } from './upstream.ts'

/** Waits until an assertion holds. */
async function eventually(check: () => unknown): Promise<void> {
  let last: unknown
  const holds = async (): Promise<boolean> => {
    try {
      await check()
      return true
    } catch (error) {
      last = error
      return false
    }
  }
  await wait(holds, () => String(last))
}

const auth = { type: 'webhook_signature', secret: WEBHOOK_SECRET }
const webhook = ({ url }: Pick<WebhookReceiver, 'url'>, its: object = {}) => ({
  name: 'SIEM',
  streams: ['records', 'audit'],
  destination: { type: 'webhook', url },
  auth,
  ...its,
})

const idsOf = ({ accepted }: WebhookReceiver, type: string): string[] =>
  accepted.filter(({ body }) => body.type === type).flatMap(({ body }) => body.data.map(({ id }) => id!))

async function stateOf(server: Pick<TestServer, 'manage'>, slug: string, stream: string) {
  const { json } = await server.manage('GET', `/sinks/${slug}`)
  return json.delivery.find((one: { stream: string }) => one.stream === stream)
}

async function made(server: Pick<TestServer, 'manage'>, body: object): Promise<void> {
  const { status, text } = await server.manage('POST', '/sinks', body)
  assert.equal(status, 201, text)
}

test('records and audit entries reach a webhook in order, signed, and one that refuses or hangs up gets them again', async () => {
  await using receiver = await startWebhook()
  await using upstream = await startUpstream()
  await using server = await startTestServer()
  const token = await publishOrders(server, upstream.url)
  const ask = async (n: number) =>
    assert.equal((await server.gateway('GET', `/orders/v1/orders/${n}`, { token })).status, 200)
  await ask(0)
  await made(server, webhook(receiver))

  for (let n = 1; n <= 5; n++) await ask(n)
  await eventually(() => assert.equal(idsOf(receiver, 'records').length, 5))
  const listed = (await server.manage('GET', '/records?collection=orders&order=oldest')).json.items
  assert.deepEqual(
    idsOf(receiver, 'records').toSorted(),
    listed
      .slice(1)
      .map(({ id }: { id: string }) => id)
      .toSorted(),
  )
  // As records.list shows it, without the slugs that the list adds
  for (const record of receiver.accepted.flatMap(({ body }) => (body.type === 'records' ? body.data : []))) {
    const shown = listed.find(({ id }: { id: string }) => id === record.id)
    const members = Object.entries(shown).filter(([name]) => !name.endsWith('_slug'))
    assert.deepEqual(record, Object.fromEntries(members))
  }
  for (const { isSigned, headers } of receiver.all) {
    assert.ok(isSigned)
    assert.match(String(headers['webhook-id']), /^msg_/)
  }
  // The audit entry of the sink itself is the first
  await eventually(() => assert.ok(idsOf(receiver, 'audit').length >= 1))
  const entry = receiver.accepted.find(({ body }) => body.type === 'audit')!.body.data[0]!
  assert.equal(entry['operation'], 'sinks.create')
  assert.ok(!JSON.stringify(receiver.all).includes(WEBHOOK_SECRET), 'no secret leaves')
  assert.ok(!JSON.stringify(receiver.all).includes(token))

  // Refused with Retry-After, then cut off, then accepted: the same batch each time
  const before = receiver.all.length
  let tries = 0
  receiver.answer = (response, delivery) => {
    if (delivery.body.type !== 'records') return accept(response, delivery)
    if (++tries === 1) response.writeHead(429, { 'retry-after': '600' }).end()
    else if (tries === 2) response.destroy()
    else accept(response, delivery)
  }
  await ask(6)
  await eventually(async () =>
    assert.equal((await stateOf(server, 'siem', 'records')).last_error, 'answered 429'),
  )
  assert.ok((await stateOf(server, 'siem', 'records')).lag_ms > 0)
  await ask(7)
  server.moveClock(650_000)
  await eventually(() => assert.equal(tries, 2))
  await eventually(() => {
    server.moveClock(5000)
    assert.equal(idsOf(receiver, 'records').length, 7)
  })
  const records = receiver.all.slice(before).filter(({ body }) => body.type === 'records')
  assert.equal(records[0]!.headers['webhook-id'], records[2]!.headers['webhook-id'], 'a batch keeps its id')
  assert.deepEqual(records[0]!.body.data, records[2]!.body.data)
  await eventually(async () => {
    const state = await stateOf(server, 'siem', 'records')
    assert.deepEqual([state.last_error, state.sent, state.dropped, state.lag_ms], [null, 7, 0, 0])
  })
  assert.deepEqual(server.faults(), [])
})

test('a sink that hangs holds up no other sink and no request, and pauses, continues and replays', async () => {
  await using slow = await startWebhook()
  await using good = await startWebhook()
  await using upstream = await startUpstream()
  await using server = await startTestServer()
  slow.answer = () => {}
  const token = await publishOrders(server, upstream.url)
  const from = new Date().toISOString()
  await made(server, webhook(slow, { name: 'Slow', streams: ['records'] }))
  await made(server, webhook(good, { name: 'Good', streams: ['records'], filter: { status: '2xx' } }))
  const ask = (path: string) => server.gateway('GET', path, { token })
  assert.equal((await ask('/orders/v1/orders/1')).status, 200)
  assert.equal((await ask('/orders/v1/unknown')).status, 404)
  await eventually(() => assert.equal(slow.all.length, 1))
  assert.equal((await ask('/orders/v1/orders/2')).status, 200)
  await eventually(() => assert.equal(idsOf(good, 'records').length, 2, 'without the 404'))

  assert.equal((await server.manage('POST', '/sinks/good/toggle', { active: false })).status, 200)
  // What another sink gets meanwhile tells that this one was passed over
  await using third = await startWebhook()
  await made(server, webhook(third, { name: 'Third', streams: ['records'], filter: { status: '2xx' } }))
  const passedOver = async (): Promise<void> => {
    const seen = [idsOf(good, 'records').length, idsOf(third, 'records').length]
    await ask('/orders/v1/orders/3')
    await eventually(() => assert.ok(idsOf(third, 'records').length > seen[1]!))
    assert.equal(idsOf(good, 'records').length, seen[0])
  }
  await eventually(passedOver)
  await passedOver()
  const missed = idsOf(third, 'records').filter((id) => !idsOf(good, 'records').includes(id))
  assert.equal((await server.manage('POST', '/sinks/good/toggle', { active: true })).status, 200)
  await eventually(() =>
    assert.deepEqual(
      idsOf(good, 'records').slice(-missed.length),
      missed,
      'what happened in the pause follows',
    ),
  )

  const before = idsOf(good, 'records')
  await eventually(async () => assert.equal((await stateOf(server, 'good', 'records')).sent, before.length))
  const replayed = await server.manage('POST', '/sinks/good/replay', { from })
  assert.equal(replayed.status, 200, replayed.text)
  await eventually(() =>
    assert.deepEqual(idsOf(good, 'records'), [...before, ...before], 'the same ids in the same order'),
  )
})

test('files below POSTERN_SINK_DIR get one line of JSON for each event, and rotate', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'postern-sinks-'))
  {
    await using server = await startTestServer({ flags: ['--sink-dir', directory] })
    const destination = { type: 'file', file: 'siem', rotate_every: '1h', keep: 1 }
    await made(server, { name: 'File', streams: ['audit'], destination })
    const test = await server.manage('POST', '/sinks/file/test', {})
    assert.deepEqual([test.json.ok, test.json.summary], [true, 'wrote 1 line'], test.text)
    const { token } = await server.running.issueToken({ role: 'admin', ttl: '1d', name: 'admin' })
    for (let n = 1; n <= 3; n++) {
      await server.manage('POST', '/policies', { name: `P${n}` }, { token })
      await eventually(async () => {
        const text = await readFile(join(directory, 'siem.audit.ndjson'), 'utf8')
        assert.ok(text.includes(`"slug":"p${n}"`), text)
        for (const line of text.trimEnd().split('\n')) JSON.parse(line)
      })
      server.moveClock(3_700_000)
    }
    const names = (await readdir(directory)).filter((name) => name.startsWith('siem.audit.')).toSorted()
    assert.equal(names.length, 2, 'one completed file is kept, beside that which is written')
    assert.match(names[0]!, /^siem\.audit\.\d{8}T\d{9}Z\.ndjson$/)
    const other = { name: 'Other', streams: ['audit'], destination }
    const taken = await server.manage('POST', '/sinks', other, { token })
    assert.equal(taken.json.errors[0].pointer, '/destination/file')
    for (const file of ['../up', 'a/b', '.hidden', '']) {
      const body = { name: 'X', streams: ['audit'], destination: { type: 'file', file } }
      assert.equal((await server.manage('POST', '/sinks', body, { token })).status, 400, file)
    }
  }
  await rm(directory, { recursive: true })
})

test('a sink is refused without the setting, to metadata addresses, to plain http elsewhere, and to who may not export', async () => {
  await using server = await startTestServer()
  const errorOf = async (body: object, token?: string) => {
    const { status, json } = await server.manage('POST', '/sinks', body, token === undefined ? {} : { token })
    return [status, json.errors?.[0]?.pointer ?? json.permission]
  }
  const file = { name: 'F', streams: ['audit'], destination: { type: 'file', file: 'f' } }
  assert.deepEqual(await errorOf(file), [400, '/destination/type'])
  assert.deepEqual(await errorOf(webhook({ url: 'https://169.254.169.254/latest' })), [
    422,
    '/destination/url',
  ])
  assert.deepEqual(await errorOf(webhook({ url: server.running.controlUrl })), [422, '/destination/url'])
  assert.deepEqual(await errorOf(webhook({ url: 'http://siem.example.com/' })), [400, '/destination/url'])
  assert.deepEqual(await errorOf(webhook({ url: 'https://siem.example.com/' }, { auth: undefined })), [
    400,
    '/auth/type',
  ])
  const weak = { auth: { type: 'webhook_signature', secret: 'whsec_c2hvcnQ=' } }
  assert.deepEqual(await errorOf(webhook({ url: 'https://siem.example.com/' }, weak)), [400, '/auth/secret'])
  const metadata = { type: 'syslog', host: '169.254.169.254' }
  assert.deepEqual(await errorOf({ name: 'S', streams: ['audit'], destination: metadata }), [
    422,
    '/destination/host',
  ])
  for (const role of ['viewer', 'modifier', 'auditor'] as const) {
    const { token } = await server.running.issueToken({ role, ttl: '5m', name: role })
    assert.deepEqual(
      await errorOf(webhook({ url: 'https://siem.example.com/' }), token),
      [403, 'sinks:create'],
      role,
    )
  }
})

test('a new destination needs its secret again, and the secret is shown nowhere', async () => {
  await using receiver = await startWebhook()
  await using other = await startWebhook()
  await using server = await startTestServer()
  await made(server, webhook(receiver, { streams: ['audit'] }))
  const patch = (body: object) => server.manage('PATCH', '/sinks/siem', body)
  assert.equal((await patch({ name: 'Main SIEM' })).status, 200)
  const moved = await patch({ destination: { url: other.url } })
  assert.deepEqual([moved.status, moved.json.errors[0].pointer], [400, '/auth/secret'], moved.text)
  assert.equal((await patch({ destination: { url: receiver.url } })).status, 200, 'the same is no new one')
  const document = {
    kind: 'sink',
    slug: 'siem',
    spec: {
      name: 'SIEM',
      streams: ['audit'],
      destination: { type: 'webhook', url: other.url },
      auth: { type: 'webhook_signature' },
    },
  }
  const applied = await server.manage('POST', '/config/apply', { documents: [document] })
  assert.equal(applied.status, 400, applied.text)
  assert.match(applied.text, /because destination changes/)
  assert.equal((await patch({ destination: { url: other.url }, auth })).status, 200)
  await eventually(() => assert.ok(other.accepted.length > 0))
  assert.ok(other.all.every(({ isSigned }) => isSigned))
  const shown = await server.manage('GET', '/sinks/siem')
  assert.equal(shown.json.auth.secret.set, true)
  const trail = await server.manage('GET', '/audit?bodies=true')
  const exported = await server.manage('GET', '/config/export')
  for (const { text } of [shown, trail, exported]) assert.ok(!text.includes(WEBHOOK_SECRET.slice(6)))
})

test('an instance that is killed sends everything that it has stored after it has started again', async () => {
  await using receiver = await startWebhook()
  await using upstream = await startUpstream()
  const data = await temporaryDirectory()
  receiver.answer = (response) => response.writeHead(503).end()
  const server = await startTestServer({ data })
  const { token: admin } = await server.running.issueToken({ role: 'admin', ttl: '1d', name: 'admin' })
  const token = await publishOrders(server, upstream.url)
  await made(server, webhook(receiver, { streams: ['records'] }))
  await server.running.stop()

  const database = await databaseOf(join(data, 'config.db'))
  const env: Record<string, string> = database === null ? {} : { POSTERN_DATABASE_URL: database }
  let up = await startUp(data, [], env)
  for (let n = 0; n < 20; n++) {
    const { status } = await call('GET', `${up.gatewayUrl}/orders/v1/orders/${n}`, { token })
    assert.equal(status, 200)
  }
  const url = `${up.controlUrl}/management/v1/records?collection=orders&limit=100`
  const stored = (await call('GET', url, { token: admin })).json.items.map(({ id }: { id: string }) => id)
  assert.equal(stored.length, 20)
  await eventually(() => assert.ok(receiver.all.length > 0))
  await killNow(up)
  receiver.answer = accept
  up = await startUp(data, [], env)
  const restartedAt = performance.now()
  const came = (): number => new Set(idsOf(receiver, 'records')).size
  // On a database the claim of the process that was killed ends after 30 seconds, which is longer than one wait
  if (database !== null)
    await eventually(() => assert.ok(came() === 20 || performance.now() - restartedAt > 15_000))
  await eventually(() => assert.equal(came(), 20))
  assert.deepEqual(
    idsOf(receiver, 'records').toSorted(),
    stored.toSorted(),
    'each once: none was accepted before',
  )
  await killNow(up)
  await rm(data, { recursive: true })
})
