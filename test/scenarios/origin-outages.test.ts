/** An origin that cannot be reached leaves the lists of virtual MCPs, and comes back, over real sockets and two gateway threads. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { textTool } from '../mcp/fixture/catalogue.ts'
import { type Fixture, startFixture } from '../mcp/fixture/fixture.ts'
import { type OpenStream, openListen } from '../mcp/open-stream.ts'
import { type RawAnswer, rawClient } from '../mcp/raw-client.ts'
import { eventually } from '../support/eventually.ts'
import { startTestServer, type TestServer } from './server.ts'

const SLUGS = ['a', 'b', 'c', 'd', 'e'] as const
type Slug = (typeof SLUGS)[number]

let server: TestServer
let token = ''
const fixtures = {} as Record<Slug, Fixture>

async function created(path: string, body: object): Promise<string> {
  const answer = await server.manage('POST', path, body)
  assert.equal(answer.status, 201, answer.text)
  return String(answer.json.token ?? answer.json.id)
}

/** Its tools are `here_a` and `also_a` for `a`; every second one is of the earlier era. */
async function start(slug: Slug, port?: number): Promise<void> {
  const eras = SLUGS.indexOf(slug) % 2 === 0 ? 'modern' : 'legacy'
  fixtures[slug] = await startFixture({ eras, isFilled: false, ...(port === undefined ? {} : { port }) })
  for (const name of ['here', 'also'])
    fixtures[slug].catalogue.putTool(textTool(`${name}_${slug}`, () => `from ${slug}`))
}

before(async () => {
  server = await startTestServer({ workers: 2 })
  for (const slug of SLUGS) {
    await start(slug)
    await created('/origins', { name: slug, slug, url: fixtures[slug].url })
  }
  const members = SLUGS.map((origin) => ({ origin }))
  await created('/virtual_mcps', { name: 'Desk', slug: 'desk', status: 'published', members })
  await created('/clients', { name: 'Acme', slug: 'acme', virtual_mcps: ['desk'] })
  token = await created('/profiles', { client: 'acme', name: 'Key', slug: 'key', auth: { type: 'token' } })
})
after(async () => {
  await server?.stop()
  for (const slug of SLUGS) await fixtures[slug]?.[Symbol.asyncDispose]()
})

const desk = () => ({
  url: `${server.running.gatewayUrl}/mcp/desk`,
  headers: { authorization: `Bearer ${token}` },
})

/** The tools that are listed. Asked seldom: the bucket of lists of a client is small. */
async function listed(): Promise<readonly string[]> {
  await new Promise((done) => setTimeout(done, 250))
  const { messages } = await (await rawClient(desk(), 'modern')).ask('tools/list', {})
  return (messages.at(-1)!.result!['tools'] as readonly { readonly name: string }[]).map(({ name }) => name)
}
const namesOf = (slugs: readonly Slug[]): readonly string[] =>
  slugs.flatMap((slug) => [`here_${slug}`, `also_${slug}`])
const callOf = async (name: string): Promise<RawAnswer> =>
  (await rawClient(desk(), 'modern')).ask('tools/call', { name, arguments: {} })
const problemOf = ({ messages }: RawAnswer) =>
  messages.at(-1)?.result?.['structuredContent'] as Record<string, unknown> | undefined
const changes = ({ messages }: OpenStream): number =>
  messages.filter(({ method }) => method === 'notifications/tools/list_changed').length
const originOf = async (slug: Slug) => (await server.manage('GET', `/origins/${slug}`)).json
async function isListed(slugs: readonly Slug[]): Promise<void> {
  const wanted = [...namesOf(slugs)].sort().join()
  let last = ''
  await eventually(
    async () => {
      last = [...(await listed())].sort().join()
      return last === wanted
    },
    () => `${wanted}, not ${last}`,
  )
}

for (const slug of ['c', 'd'] as const)
  test(`one dead origin of five (${slug}) leaves the lists, is named in errors, and comes back; the others work`, async () => {
    const others = SLUGS.filter((other) => other !== slug)
    const revision = (await server.manage('GET', '/origins/a')).json.revision
    await isListed(SLUGS)
    await using stream = await openListen(desk(), { toolsListChanged: true })
    await eventually(() => stream.messages.length > 0)
    const { port } = fixtures[slug]
    await fixtures[slug][Symbol.asyncDispose]()
    assert.equal(problemOf(await callOf(`here_${slug}`))?.['origin'], slug)
    await isListed(others)
    await eventually(() => changes(stream) === 1)
    const problem = problemOf(await callOf(`here_${slug}`))
    assert.equal(problem?.['origin'], slug)
    assert.match(String(problem['code']), /^upstream_(unreachable|unavailable)$/)
    for (const other of others)
      assert.match((await callOf(`also_${other}`)).text, new RegExp(`from ${other}`))
    const shown = await originOf(slug)
    assert.equal(shown.reachable, 'unreachable')
    assert.match(shown.last_error, /^server\/discover failed: .* \(.*ECONNREFUSED.*\)\.$/)
    assert.match(shown.down_since, /^\d{4}-/)
    assert.notEqual(shown.last_error, null)
    const row = (await server.manage('GET', '/origins')).json.items.find(
      (one: { slug: string }) => one.slug === slug,
    )
    assert.equal(row.down_since, shown.down_since)
    const page = await (await fetch(`${server.running.controlUrl}/metrics`)).text()
    assert.match(page, /^postern_origins_down 1$/m)

    await start(slug, port)
    server.moveClock(20_000)
    await isListed(SLUGS)
    await eventually(() => changes(stream) === 2)
    assert.match((await callOf(`here_${slug}`)).text, new RegExp(`from ${slug}`))
    assert.equal((await originOf(slug)).down_since, null)
    assert.equal((await server.manage('GET', '/origins/a')).json.revision, revision)
    const drift = (await server.manage('GET', '/virtual_mcps/desk/list_drift')).json
    assert.deepEqual(drift.items ?? [], [])
  })

test('a thread that is replaced knows which origins are down', async () => {
  server.moveClock(20_000)
  const { port } = fixtures.b
  await fixtures.b[Symbol.asyncDispose]()
  await callOf('here_b')
  await isListed(['a', 'c', 'd', 'e'])
  for (const slot of [0, 1]) await server.running.killThread(slot)
  for (let count = 0; count < 4; count += 1)
    assert.deepEqual([...(await listed())].sort(), [...namesOf(['a', 'c', 'd', 'e'])].sort())
  await start('b', port)
  server.moveClock(20_000)
  await isListed(SLUGS)
})

test('an origin without a call is found dead by its stream; one that comes and goes changes lists a bounded number of times', async () => {
  server.moveClock(20_000)
  await using stream = await openListen(desk(), { toolsListChanged: true })
  await eventually(() => stream.messages.length > 0)
  const { port } = fixtures.e
  await fixtures.e[Symbol.asyncDispose]()
  await isListed(['a', 'b', 'c', 'd'])
  for (let round = 0; round < 6; round += 1) {
    await start('e', port)
    await callOf('here_e')
    await fixtures.e[Symbol.asyncDispose]()
    await callOf('here_e')
  }
  assert.ok(changes(stream) <= 2, `${changes(stream)}`)
  await start('e', port)
  server.moveClock(20_000)
  await isListed(SLUGS)
})

test('the test of an origin whose thread ends is answered at once', async () => {
  const silent = createServer()
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/mcp`
  await created('/origins', { name: 'Silent', slug: 'silent', url, probe: false })
  try {
    // The first thread asks the origin. A call of the control listener passes either thread, and ends with it:
    // each attempt takes a connection of its own.
    let answer: Awaited<ReturnType<TestServer['manage']>> | null = null
    for (let attempt = 0; attempt < 30 && answer === null; attempt += 1) {
      const asked = once(silent, 'request')
      const tested = server
        .manage('POST', '/origins/silent/test', {}, { headers: { connection: 'close' } })
        .catch((error: Error) => {
          assert.match(String(error.cause), /other side closed|ECONNRESET/)
          return null
        })
      await asked
      await server.running.killThread(0)
      answer = await tested
    }
    assert.equal(answer?.status, 503)
    assert.equal(answer.json.detail, 'The origin cannot be probed now: the gateway thread has ended.')
  } finally {
    silent.closeAllConnections()
    silent.close()
  }
})
