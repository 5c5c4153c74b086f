/** Changes at MCP servers come to clients of virtual MCPs, over real sockets and two gateway threads. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { watcherOf } from '../../src/fleet/shared/messages.ts'
import { textTool } from '../mcp/fixture/catalogue.ts'
import { type Fixture, startFixture } from '../mcp/fixture/fixture.ts'
import { RESOURCES } from '../mcp/fixture/offers.ts'
import { startHeaderOrigin } from '../mcp/header-origin.ts'
import { startLegacyOrigin } from '../mcp/legacy.ts'
import { LEGACY_NOTE } from '../mcp/legacy-server.ts'
import { type OpenStream, openListen, openWatching } from '../mcp/open-stream.ts'
import { rawClient } from '../mcp/raw-client.ts'
import { eventually } from '../support/eventually.ts'
import { startTestServer, type TestServer } from './server.ts'

const ERAS = ['modern', 'legacy'] as const
type Era = (typeof ERAS)[number]
const WATCHED = 'test://watched-resource'

let server: TestServer
let token = ''
const fixtures = {} as Record<Era, Fixture>
const ids = new Map<string, string>()

async function created(path: string, body: object): Promise<string> {
  const answer = await server.manage('POST', path, body)
  assert.equal(answer.status, 201, answer.text)
  return String(answer.json.id)
}

/** An origin, and a virtual MCP of the same slug that shows all of it. */
async function offer(slug: string, url: string): Promise<void> {
  ids.set(slug, await created('/origins', { name: slug, slug, url }))
  const members = [{ origin: slug, capability_policy: { new_items: 'show' } }]
  await created('/virtual_mcps', { name: slug, slug, status: 'published', members })
}

before(async () => {
  server = await startTestServer({ workers: 2 })
  for (const era of ERAS) {
    fixtures[era] = await startFixture({ eras: era, isFilled: false })
    fixtures[era].catalogue.putTool(textTool('first', () => 'one'))
    for (const resource of RESOURCES) fixtures[era].catalogue.putResource(resource)
    await offer(era, fixtures[era].url)
  }
  await created('/clients', { name: 'Acme', slug: 'acme', virtual_mcps: [...ERAS] })
  const profile = await server.manage('POST', '/profiles', {
    client: 'acme',
    name: 'Key',
    slug: 'key',
    auth: { type: 'token' },
  })
  token = profile.json.token
})
after(async () => {
  await server?.stop()
  for (const era of ERAS) await fixtures[era]?.[Symbol.asyncDispose]()
})

const at = (slug: string) => ({
  url: `${server.running.gatewayUrl}/mcp/${slug}`,
  headers: { authorization: `Bearer ${token}` },
})
/** How many streams stand at an origin. */
const standing = (era: Era): number => (era === 'modern' ? fixtures.modern.listens : fixtures.legacy.streams)

const watched = (era: Era): Promise<void> =>
  eventually(
    () => standing(era) === 1,
    () => `one stream at the ${era} origin, not ${standing(era)}`,
  )

const heard = (stream: OpenStream, method: string): Promise<void> =>
  eventually(
    () => stream.messages.some((message) => message['method'] === method),
    () => `${method} among ${JSON.stringify(stream.messages)}`,
  )

/** The tools that a client of 2026-07-28 is given. */
async function listOf(slug: string): Promise<readonly { readonly name: string }[]> {
  // The bucket of lists of a client is small
  await new Promise((done) => setTimeout(done, 200))
  const client = await rawClient(at(slug), 'modern')
  const { messages } = await client.ask('tools/list', {})
  return messages.at(-1)!.result!['tools'] as readonly { readonly name: string }[]
}
const toolsOf = async (slug: string): Promise<readonly string[]> =>
  (await listOf(slug)).map(({ name }) => name)

/** How often the tools of an origin were listed. */
const listed = (era: Era): number =>
  fixtures[era].requests.filter(({ rpcMethod }) => rpcMethod === 'tools/list').length

for (const era of ERAS)
  test(`what changes at a ${era} origin comes to clients of both eras, over one stream for two threads`, async () => {
    await watched(era)
    // Enough for each thread to have some
    const clients = await Promise.all(
      Array.from({ length: 6 }, (_, index) => openWatching(at(era), ERAS[index % 2]!, WATCHED)),
    )
    await eventually(
      () => era === 'modern' || fixtures.legacy.subscriptions === 1,
      () => `one subscription, not ${fixtures.legacy.subscriptions}`,
    )
    const { catalogue } = fixtures[era]
    catalogue.putTool(textTool(`second_${era}`, () => 'two'))
    for (const stream of clients) await heard(stream, 'notifications/tools/list_changed')
    const told = (stream: OpenStream): boolean =>
      stream.messages.some(({ method }) => method === 'notifications/resources/updated')
    await eventually(async () => {
      catalogue.touch(WATCHED)
      await new Promise((done) => setTimeout(done, 50))
      return clients.every(told)
    })
    assert.equal(standing(era), 1)
    for (const stream of clients) await stream[Symbol.asyncDispose]()
  })

test('a published change of the configuration reaches open clients of both eras, on both threads', async () => {
  const clients = await Promise.all(
    Array.from({ length: 6 }, (_, index) => openWatching(at('modern'), ERAS[index % 2]!, WATCHED)),
  )
  const members = (tools: object) => [
    { origin: 'modern', capability_policy: { new_items: 'show', ...tools } },
  ]
  const changed = await server.manage('PATCH', '/virtual_mcps/modern', { members: members({ tools: [] }) })
  assert.equal(changed.json.pending, undefined, changed.text)
  for (const stream of clients) {
    await heard(stream, 'notifications/tools/list_changed')
    await stream[Symbol.asyncDispose]()
  }
  assert.deepEqual(await toolsOf('modern'), [])
  await server.manage('PATCH', '/virtual_mcps/modern', { members: members({}) })
})

for (const era of ERAS)
  test(`another thread takes a ${era} origin over from one that has died, and learns what it has missed`, async () => {
    await watched(era)
    await using client = await openWatching(at(era), 'modern', WATCHED)
    await heard(client, 'notifications/subscriptions/acknowledged')
    const slot = watcherOf([0, 1], ids.get(era)!)!
    const killed = server.running.killThread(slot)
    fixtures[era].catalogue.putTool(textTool(`third_${era}`, () => 'three'))
    await killed
    await eventually(
      async () => (await toolsOf(era)).includes(`third_${era}`),
      () => 'the new tool',
    )
    await watched(era)
  })

test('what changes at an origin of HTTP+SSE comes to clients of both eras, over one stream for two threads', async () => {
  await using origin = await startLegacyOrigin({ transport: 'sse' })
  await offer('sse', origin.url)
  const assigned = await server.manage('PATCH', '/clients/acme', { virtual_mcps: [...ERAS, 'sse'] })
  assert.equal(assigned.status, 200, assigned.text)
  const clients = await Promise.all(
    Array.from({ length: 4 }, (_, index) => openWatching(at('sse'), ERAS[index % 2]!, LEGACY_NOTE)),
  )
  for (const [name, change] of [
    // The stream stands some time after the origin was saved
    ['tools/list_changed', (count: number) => origin.addTool(`late_${count}`)],
    ['resources/updated', () => origin.touch(LEGACY_NOTE)],
  ] as const) {
    let count = 0
    await eventually(async () => {
      change(++count)
      await new Promise((done) => setTimeout(done, 50))
      return clients.every(({ messages }) =>
        messages.some(({ method }) => method === `notifications/${name}`),
      )
    })
  }
  await eventually(() => origin.sessions.size === 1)
  for (const stream of clients) await stream[Symbol.asyncDispose]()
})

test('an origin that refuses the headers of a call has its catalogue read again, though it tells of no changes', async () => {
  await using origin = await startHeaderOrigin()
  await offer('headers', origin.url)
  const assigned = await server.manage('PATCH', '/clients/acme', { virtual_mcps: [...ERAS, 'headers'] })
  assert.equal(assigned.status, 200, assigned.text)
  origin.mark('Area')
  const client = await rawClient(at('headers'), 'legacy')
  const { text } = await client.ask('tools/call', { name: 'moved', arguments: { region: 'eu' } })
  assert.match(text, /"text":"called"/)
  await eventually(
    async () =>
      (await server.manage('GET', '/origins/headers/catalog')).text.includes('"x-mcp-header":"Area"'),
    () => `the header; ${origin.lists} lists`,
  )
})

test('what becomes of a task of 2025-11-25 comes to listeners of all threads, over the one stream of its session', async () => {
  await using origin = await startLegacyOrigin()
  await offer('old', origin.url)
  const assigned = await server.manage('PATCH', '/clients/acme', { virtual_mcps: [...ERAS, 'old'] })
  assert.equal(assigned.status, 200, assigned.text)
  const able = { extensions: { 'io.modelcontextprotocol/tasks': {} } }
  const client = await rawClient(at('old'), 'modern', able)
  // Longer than all listeners need
  const job = { name: 'job', arguments: { word: 'it', ms: 2000 } }
  const { taskId } = (await client.ask('tools/call', job)).messages.at(-1)!.result!
  const headers = { ...at('old').headers, connection: 'close' }
  const listeners = await Promise.all(
    Array.from({ length: 6 }, () => openListen({ ...at('old'), headers }, { taskIds: [taskId] }, able)),
  )
  for (const { messages } of listeners) {
    await eventually(() => messages.length > 0)
    assert.deepEqual((messages[0] as { params: { notifications: object } }).params.notifications, {
      taskIds: [taskId],
    })
  }
  await eventually(
    () => listeners.every(({ messages }) => JSON.stringify(messages).includes('"status":"completed"')),
    () => JSON.stringify(listeners.map(({ messages }) => messages)),
  )
  for (const stream of listeners) await stream[Symbol.asyncDispose]()
})

test('an origin that says all the time that its lists have changed is read a bounded number of times', async () => {
  await watched('modern')
  const before = listed('modern')
  const startedAt = performance.now()
  const { catalogue } = fixtures.modern
  for (let count = 0; count < 200; count += 1) {
    catalogue.putTool(textTool('changing', () => 'now', { description: `Version ${count}` }))
    await new Promise((done) => setTimeout(done, 10))
  }
  server.moveClock(5000)
  await eventually(
    async () => JSON.stringify(await listOf('modern')).includes('Version 199'),
    () => 'the last version',
  )
  // Each read that finds news is made twice
  const reads = listed('modern') - before
  const periods = (performance.now() - startedAt + 5000) / 5000
  assert.ok(reads <= 2 * (periods + 1), `${reads} reads in ${periods} periods`)
})
