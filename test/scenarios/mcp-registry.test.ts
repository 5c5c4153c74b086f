/** The MCP registry of a gateway, over sockets. Formats are those of its OpenAPI description v0.1 and of server.json 2025-12-11. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { type LegacyOrigin, startLegacyOrigin } from '../mcp/legacy.ts'
import { choose } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { addUser, signIn } from '../support/sign-in.ts'
import { call, type Reply, startTestServer, type TestServer } from './server.ts'

const SERVERS = '/mcp-registry/v0.1/servers'
const OFFICIAL = 'io.modelcontextprotocol.registry/official'
const ICON = { src: 'https://example.com/desk.png', mime_type: 'image/png', sizes: ['48x48'] }

let server: TestServer
let origin: LegacyOrigin
let base: string

async function make(at: TestServer, path: string, body: object): Promise<void> {
  const made = await at.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}

before(async () => {
  origin = await startLegacyOrigin()
  server = await startTestServer()
  base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
  await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
    name: 'ann',
    email: 'ann@example.com',
  })
  await addUser(server, server.running.origin, 'bob')
  await make(server, '/origins', { name: 'Old', slug: 'old', url: origin.url })
  await make(server, '/teams', { name: 'Staff', slug: 'staff' })
  await make(server, '/teams', { name: 'Shop', slug: 'shop', parent: 'staff', members: [{ user: 'bob' }] })
  const published = { status: 'published', members: [{ origin: 'old' }] }
  for (const [slug, more] of [
    ['billing', { registry: 'signed_in', teams: ['staff'] }],
    ['calls', { registry: 'signed_in', all_users: true }],
    ['desk', { registry: 'public', description: 'Tickets\nand calls', icons: [ICON] }],
    ['events', { registry: 'public', name: 'N'.repeat(120), description: 'd'.repeat(500) }],
    ['files', { registry: 'public' }],
    ['hidden', { registry: 'hidden', all_users: true }],
    ['plain', { all_users: true }],
    ['sketch', { registry: 'public', status: 'draft' }],
    ['unshared', { registry: 'signed_in' }],
  ] as const)
    await make(server, '/virtual_mcps', { name: slug, slug, ...published, ...more })
})
after(async () => {
  await server?.stop()
  await origin?.[Symbol.asyncDispose]()
})

const get = (query = '', token?: string): Promise<Reply> => call('GET', base + SERVERS + query, { token })
const namesIn = ({ status, text, json }: Reply): string[] => {
  assert.equal(status, 200, text)
  assertList(json)
  return json.servers.map((one: { server: { name: string } }) => one.server.name.replace('localhost/', ''))
}

/** What the OpenAPI description demands of a `ServerList`. */
// biome-ignore lint/suspicious/noExplicitAny: the value is what is checked
function assertList({ servers, metadata }: any): void {
  assert.equal(metadata.count, servers.length)
  for (const one of servers) assertServer(one)
}

/** What the OpenAPI description demands of a `ServerResponse`, and `server.json` of the server in it. */
// biome-ignore lint/suspicious/noExplicitAny: the value is what is checked
function assertServer({ server: one, _meta }: any): void {
  assert.match(one.name, /^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/)
  assert.ok(one.name.length >= 3 && one.name.length <= 200)
  assert.ok(one.description.length >= 1 && one.description.length <= 100)
  assert.ok(one.title === undefined || (one.title.length >= 1 && one.title.length <= 100))
  assert.match(one.version, /^\d+\.\d+\.\d+$/)
  assert.equal(one.$schema, 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json')
  for (const remote of one.remotes) {
    assert.equal(remote.type, 'streamable-http')
    assert.match(remote.url, /^https?:\/\/[^\s]+$/)
  }
  for (const { src, mimeType, sizes, theme, ...more } of one.icons ?? []) {
    assert.match(src, /^https:\/\/.{1,247}$/)
    assert.ok(
      [undefined, 'image/png', 'image/jpeg', 'image/jpg', 'image/svg+xml', 'image/webp'].includes(mimeType),
    )
    for (const size of sizes ?? []) assert.match(size, /^(\d+x\d+|any)$/)
    assert.ok([undefined, 'light', 'dark'].includes(theme))
    assert.deepEqual(more, {})
  }
  const { status, publishedAt, updatedAt, isLatest, ...more } = _meta[OFFICIAL]
  assert.deepEqual([status, isLatest, more], ['active', true, {}])
  for (const time of [publishedAt, updatedAt]) assert.equal(new Date(time).toISOString(), time)
}

test('anyone lists public virtual MCPs; hidden ones, drafts and those without the member are listed for nobody', async () => {
  assert.deepEqual(namesIn(await get()), ['desk', 'events', 'files'])
  const { json, headers } = await get('?search=desk')
  const [desk] = json.servers
  assert.deepEqual(
    [desk.server.name, desk.server.title, desk.server.description, desk.server.remotes],
    [
      'localhost/desk',
      'desk',
      'Tickets and calls',
      [{ type: 'streamable-http', url: `${server.running.origin}/mcp/desk` }],
    ],
  )
  assert.deepEqual(desk.server.icons, [{ src: ICON.src, mimeType: ICON.mime_type, sizes: ICON.sizes }])
  assert.equal(headers.get('access-control-allow-origin'), '*')
  assert.equal(headers.get('content-type'), 'application/json')
  // An administrator's token is of no person
  assert.deepEqual(namesIn(await get('', server.adminToken)), ['desk', 'events', 'files'])
})

test('a person also lists what is signed_in and shared with them; a token that proves nothing is refused', async () => {
  const management = `${base}/management/v1`
  // Personal tokens are made by a token with all scopes
  const ticked = ['management:read', 'management:write', 'management:admin']
  const { accessToken: bob } = await signIn(management, 'bob', { scope: ticked.join(' '), ticked })
  assert.deepEqual(namesIn(await get('', bob)), ['billing', 'calls', 'desk', 'events', 'files'])
  const personal = await call('POST', `${management}/personal_tokens`, {
    token: bob,
    body: { name: 'Script' },
  })
  assert.equal(personal.status, 201, personal.text)
  assert.deepEqual(namesIn(await get('?limit=2', personal.json.token)), ['billing', 'calls'])
  const { accessToken: ann } = await signIn(management, 'ann')
  assert.deepEqual(namesIn(await get('', ann)), ['calls', 'desk', 'events', 'files'])
  for (const slash of ['%2F', '%2f', '/'])
    assert.equal((await get(`/localhost${slash}billing/versions/latest`, bob)).status, 200, slash)
  assert.equal((await get('/localhost%2Fbilling/versions/latest', ann)).status, 404)
  assert.equal((await get('/localhost%2Fbilling/versions/latest')).status, 404)
  await server.manage('PATCH', '/teams/shop', { members: [] })
  assert.deepEqual(namesIn(await get('', bob)), ['calls', 'desk', 'events', 'files'])
  const { accessToken: agent } = await signIn(`${base}/mcp/calls`, 'bob')
  for (const token of ['pst_at_none', agent]) {
    const refused = await get('', token)
    assert.equal(refused.status, 401)
    assert.equal(typeof refused.json.error, 'string')
    assert.match(refused.headers.get('www-authenticate') ?? '', /^Bearer resource_metadata=/)
  }
  await server.manage('POST', '/users/bob/toggle', { active: false })
  assert.equal((await get('', bob)).status, 401)
})

test('pages follow each other by their cursors, and filters hold', async () => {
  const first = await get('?limit=2')
  assert.deepEqual(namesIn(first), ['desk', 'events'])
  const second = await get(`?limit=2&cursor=${encodeURIComponent(first.json.metadata.nextCursor)}`)
  assert.deepEqual(namesIn(second), ['files'])
  assert.equal('nextCursor' in second.json.metadata, false)
  assert.deepEqual(namesIn(await get('?limit=1000')), ['desk', 'events', 'files'])
  assert.deepEqual(namesIn(await get('?search=HOST/D&version=latest&include_deleted=true')), ['desk'])
  assert.deepEqual(namesIn(await get('?version=9.9.9')), [])
  const { server: events, _meta } = second.json.servers[0]
  assert.deepEqual(namesIn(await get(`?search=files&version=${events.version}`)), ['files'])
  const time = Date.parse(_meta[OFFICIAL].updatedAt)
  const since = (ms: number): string => `?updated_since=${new Date(ms).toISOString()}&search=files`
  assert.deepEqual(namesIn(await get(since(time))), ['files'])
  assert.deepEqual(namesIn(await get(since(time + 1))), [])
  for (const query of ['?limit=0', '?limit=-1', '?limit=x', '?updated_since=yesterday']) {
    const { status, json } = await get(query)
    assert.equal(status, 400, query)
    assert.match(json.error, /limit|updated_since/)
  }
})

test('a server has one version, which is the latest, and a change makes the next one', async () => {
  const path = '/localhost%2Ffiles/versions'
  const { json: versions } = await get(path)
  assertList(versions)
  assert.equal(versions.servers.length, 1)
  const { version } = versions.servers[0].server
  for (const one of ['latest', version]) {
    const { status, json } = await get(`${path}/${one}`)
    assert.equal(status, 200)
    assert.deepEqual(json, versions.servers[0])
  }
  const changed = await server.manage('PATCH', '/virtual_mcps/files', { description: 'All files' })
  assert.equal(changed.status, 200, changed.text)
  const { json: latest } = await get(`${path}/latest`)
  assert.notEqual(latest.server.version, version)
  assert.equal(latest.server.description, 'All files')
  for (const gone of [
    `${path}/${version}`,
    '/localhost%2Fnone/versions',
    '/other%2Ffiles/versions',
    '/files/versions',
  ]) {
    const { status, json } = await get(gone)
    assert.equal(status, 404, gone)
    assert.equal(typeof json.error, 'string')
  }
})

test('pages of any origin may read it, and nobody may write', async () => {
  const asked = await call('OPTIONS', base + SERVERS, {
    headers: { origin: 'https://page.example', 'access-control-request-method': 'GET' },
  })
  assert.deepEqual([asked.status, asked.headers.get('access-control-allow-origin')], [204, '*'])
  assert.match(asked.headers.get('access-control-allow-headers') ?? '', /authorization/)
  for (const [method, path] of [
    ['POST', '/mcp-registry/v0.1/publish'],
    ['PUT', `${SERVERS}/localhost%2Fdesk/versions/latest`],
    ['DELETE', `${SERVERS}/localhost%2Fdesk/versions/latest`],
  ] as const) {
    const { status, headers } = await call(method, base + path, { token: server.adminToken, body: {} })
    assert.deepEqual([status, headers.get('allow')], [405, 'GET, HEAD, OPTIONS'], path)
  }
  // Its body is never sent, and nothing waits for it
  const slow = connect(Number(new URL(base).port), '127.0.0.1')
  slow.write(`POST ${SERVERS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n`)
  const [answer] = (await once(slow, 'data')) as [Buffer]
  assert.match(answer.toString(), /^HTTP\/1\.1 405 /)
  slow.destroy()
  const head = await call('HEAD', base + SERVERS)
  assert.deepEqual([head.status, head.text], [200, ''])
})

test('an entry of one gateway becomes an origin of another one', async () => {
  await using first = await startTestServer({ flags: ['--origin', 'https://gateway.example.com'] })
  await make(first, '/origins', { name: 'Old', slug: 'old', url: origin.url })
  await make(first, '/virtual_mcps', {
    ...{ name: 'Help Desk', slug: 'desk', description: 'Tickets', registry: 'public' },
    ...{ status: 'published', members: [{ origin: 'old' }] },
  })
  const { json: listed } = await call('GET', first.running.gatewayUrl + SERVERS)
  assertList(listed)
  assert.equal(listed.servers[0].server.name, 'com.example.gateway/desk')
  const { status, json, text } = await server.manage('POST', '/config/convert', { document: listed })
  assert.equal(status, 200, text)
  const documents = json.documents as { kind: string; spec: Record<string, unknown> }[]
  const made = documents.find(({ kind }) => kind === 'origin')!
  assert.deepEqual(made.spec, {
    name: 'Help Desk',
    description: 'Tickets',
    url: 'https://gateway.example.com/mcp/desk',
    active: false,
  })
  assert.equal(documents.find(({ kind }) => kind === 'virtual_mcp')?.spec['status'], 'draft')
})
