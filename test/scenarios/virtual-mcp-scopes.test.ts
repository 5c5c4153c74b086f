/** Grants that are narrowed to a virtual MCP: over REST, Management MCP, the command line and configuration files. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Fixture, startFixture } from '../mcp/fixture/fixture.ts'
import { runCommand } from './cli.ts'
import { askMcp, type Reply, startTestServer, type TestServer } from './server.ts'

let server: TestServer
let fixture: Fixture
let token = ''

async function make(path: string, body: object): Promise<Reply> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
  return made
}

async function issue(...grants: readonly string[]): Promise<string> {
  const issued = await runCommand(server.data, ['token', '--grant', ...grants, '--name', 'Ada'])
  assert.equal(issued.code, 0, issued.err)
  return issued.out.trim()
}

before(async () => {
  server = await startTestServer()
  fixture = await startFixture({ eras: 'modern' })
  await make('/collections', { name: 'Orders', base_path: '/orders' })
  for (const name of ['Tools', 'Other']) await make('/origins', { name, url: fixture.url })
  for (const name of ['Desk', 'Shop'])
    await make('/virtual_mcps', { name, members: [{ origin: 'tools' }], status: 'published' })
  token = await issue('modifier@mcp:desk')
})
after(async () => {
  await server.stop()
  await fixture[Symbol.asyncDispose]()
})

const manage = (method: string, path: string, body?: unknown): Promise<Reply> =>
  server.manage(method, path, body, { token })
const slugsOf = ({ json }: Reply): string[] => json.items.map(({ slug }: { slug: string }) => slug)

test('a modifier within a virtual MCP reads and changes it, and sees no other', async () => {
  assert.deepEqual(slugsOf(await manage('GET', '/virtual_mcps')), ['desk'])
  for (const path of ['/origins', '/collections', '/clients', '/policies'])
    assert.deepEqual(slugsOf(await manage('GET', path)), [], path)
  const changed = await manage('PATCH', '/virtual_mcps/desk', {
    description: 'For support',
    mcp_view: 'compact',
  })
  assert.equal(changed.status, 200, changed.text)
  assert.equal(changed.json.members[0].origin, 'tools')
  for (const status of ['draft', 'published'])
    assert.equal((await manage('POST', '/virtual_mcps/desk/publish', { status })).status, 200)
  for (const [method, path, body] of [
    ['GET', '/virtual_mcps/shop', undefined],
    ['PATCH', '/virtual_mcps/shop', { name: 'Mine' }],
    ['POST', '/virtual_mcps/shop/publish', {}],
    ['POST', '/virtual_mcps/shop/preview', {}],
    ['GET', '/virtual_mcps/shop/list_drift', undefined],
    ['DELETE', '/virtual_mcps/shop?confirm=shop', undefined],
    ['GET', '/origins/tools', undefined],
    ['GET', '/collections/orders', undefined],
  ] as const)
    assert.equal((await manage(method, path, body)).status, 404, path)
})

test('what is shown of the virtual MCP includes the items of its origins', async () => {
  const preview = await manage('POST', '/virtual_mcps/desk/preview', {})
  assert.equal(preview.status, 200, preview.text)
  assert.ok(preview.json.items.length > 0)
  assert.equal(preview.json.items[0].origin, 'tools')
  assert.equal((await manage('POST', '/virtual_mcps/desk/token_cost', {})).status, 200)
  const drift = await manage('GET', '/virtual_mcps/desk/list_drift')
  assert.equal(drift.status, 200, drift.text)
})

test('another origin becomes a member only with the permission to read it', async () => {
  const members = [{ origin: 'tools' }, { origin: 'other' }]
  const refused = await manage('PATCH', '/virtual_mcps/desk', { members })
  assert.equal(refused.status, 400, refused.text)
  assert.match(refused.text, /there is no origin \\"other\\"/)
  const wider = await issue('modifier@mcp:desk', 'viewer:origins')
  const added = await server.manage('PATCH', '/virtual_mcps/desk', { members }, { token: wider })
  assert.equal(added.status, 200, added.text)
  const another = await server.manage('POST', '/virtual_mcps', { name: 'New', members }, { token: wider })
  assert.equal(another.status, 403, another.text)
  assert.equal(another.json.permission, 'virtual_mcps:create')
  // What is there stays, whoever sees it
  const kept = await manage('PATCH', '/virtual_mcps/desk', { members, description: 'Kept' })
  assert.equal(kept.status, 200, kept.text)
})

test('over Management MCP the grant reaches the same, and whoami shows it', async () => {
  const call = async (name: string, args: object) =>
    (await askMcp(server, '/management/mcp', token, 'tools/call', { name, arguments: args })).json.result
  const got = await call('manage_virtual_mcps', { action: 'get', id: 'desk' })
  assert.equal(got.isError ?? false, false, JSON.stringify(got))
  const away = await call('manage_virtual_mcps', { action: 'get', id: 'shop' })
  assert.equal(away.isError, true)
  assert.match(JSON.stringify(away.content), /There is no virtual MCP/)
  const { json } = await manage('GET', '/whoami')
  assert.equal(json.grants[0].grant, 'modifier@mcp:desk')
  assert.deepEqual(json.grants[0].scope.virtual_mcps, ['desk'])
  assert.deepEqual(json.grants[0].scope.collections, [])
})

test('a collection and a virtual MCP in one scope give both', async () => {
  const both = await issue('viewer@orders,mcp:shop')
  const see = (path: string) => server.manage('GET', path, undefined, { token: both })
  assert.deepEqual(slugsOf(await see('/virtual_mcps')), ['shop'])
  assert.deepEqual(slugsOf(await see('/collections')), ['orders'])
})

test('a grant in a file narrows to a virtual MCP of the file, which stays as long as the grant', async () => {
  const file = join(server.data, 'grants.yaml')
  await writeFile(
    file,
    [
      'kind: virtual_mcp',
      'slug: kiosk',
      'spec: {name: Kiosk, members: [{origin: tools}]}',
      '---',
      'kind: service_identity',
      'slug: keeper',
      'spec: {name: Keeper}',
      '---',
      'kind: grant',
      'slug: kiosk',
      'spec: {name: Kiosk, service_identity: keeper, role: modifier, scope: {virtual_mcps: [kiosk]}}',
      '',
    ].join('\n'),
  )
  const applied = await runCommand(server.data, ['apply', file, '--yes'])
  assert.equal(applied.code, 0, applied.err)
  const { json } = await server.manage('GET', '/grants/keeper:kiosk')
  assert.deepEqual(json.scope.virtual_mcps, ['kiosk'])
  const used = await server.manage('DELETE', '/virtual_mcps/kiosk', { confirm: 'kiosk' })
  assert.equal(used.status, 409, used.text)
  assert.deepEqual(used.json.used_by, ['grants/kiosk'])
  assert.equal((await server.manage('DELETE', '/grants/keeper:kiosk', { confirm: 'kiosk' })).status, 200)
  assert.equal((await server.manage('DELETE', '/virtual_mcps/kiosk', { confirm: 'kiosk' })).status, 200)
})

test('a compact grant for a virtual MCP that does not exist issues no token', async () => {
  const given = await runCommand(server.data, ['token', '--grant', 'viewer@mcp:nowhere'])
  assert.notEqual(given.code, 0)
  assert.match(given.err, /there is no virtual MCP "nowhere"/)
})

test('a rule for approval holds for the virtual MCP of its scope alone', async () => {
  const rules = (approvals: readonly object[]): Promise<Reply> =>
    server.manage('PATCH', '/settings/current', { approvals })
  const rule = { name: 'Shop needs two', permissions: ['virtual_mcps:*'], scope: { virtual_mcps: ['shop'] } }
  const set = await rules([rule])
  assert.equal(set.status, 200, set.text)
  assert.deepEqual(set.json.approvals[0].scope.virtual_mcps, ['shop'])
  const held = await server.manage('PATCH', '/virtual_mcps/shop', { description: 'Waits' })
  assert.equal(held.json.waits_for_approval, true, held.text)
  assert.equal((await server.manage('PATCH', '/virtual_mcps/desk', { description: 'Free' })).status, 200)
  assert.equal((await rules([])).status, 200)
})
