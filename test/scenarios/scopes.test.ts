import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { runCommand } from './cli.ts'
import { askMcp, type Reply, startTestServer, type TestServer } from './server.ts'

let server: TestServer
let token = ''
before(async () => {
  server = await startTestServer()
  for (const name of ['Payments', 'Orders']) {
    const base_path = `/${name.toLowerCase()}`
    const made = await server.manage('POST', '/collections', { name, base_path })
    assert.equal(made.status, 201, made.text)
    const collection = name.toLowerCase()
    await server.manage('POST', '/proxies', {
      collection,
      name: `List ${collection}`,
      methods: ['GET'],
      path: '/',
    })
  }
  const issued = await runCommand(server.data, [
    'token',
    '--grant',
    'modifier:proxies@payments',
    'viewer@payments',
    '--name',
    'Ada',
  ])
  assert.equal(issued.code, 0, issued.err)
  assert.match(issued.err, /May act as modifier:proxies@payments and viewer@payments, until/)
  token = issued.out.trim()
})
after(() => server.stop())

const manage = (method: string, path: string, body?: unknown): Promise<Reply> =>
  server.manage(method, path, body, { token })
const rpc = (method: string, params: object): Promise<Reply> =>
  askMcp(server, '/management/mcp', token, method, params)

test('a modifier of proxies in Payments works there over REST, and sees nothing else', async () => {
  const listed = await manage('GET', '/proxies')
  assert.deepEqual(
    listed.json.items.map(({ slug }: { slug: string }) => slug),
    ['list-payments'],
  )
  const made = await manage('POST', '/proxies', {
    collection: 'payments',
    name: 'Pay',
    methods: ['POST'],
    path: '/pay',
  })
  assert.equal(made.status, 201, made.text)
  assert.equal((await manage('PATCH', '/proxies/pay', { description: 'Pays' })).status, 200)
  assert.equal((await manage('GET', '/collections/orders')).status, 404)
  assert.equal((await manage('PATCH', '/proxies/list-orders', { name: 'Mine' })).status, 404)
  const refused = await manage('PATCH', '/collections/payments', { name: 'Mine' })
  assert.equal(refused.status, 403)
  assert.equal(refused.json.permission, 'collections:update')
})

test('over Management MCP the tools are those that a grant reaches, with the same answers', async () => {
  const { tools } = (await rpc('tools/list', {})).json.result
  const proxies = tools.find(({ name }: { name: string }) => name === 'manage_proxies')
  assert.ok(proxies.inputSchema.properties.action.enum.includes('delete'))
  const collections = tools.find(({ name }: { name: string }) => name === 'manage_collections')
  assert.ok(!collections.inputSchema.properties.action.enum.includes('delete'))
  const ask = async (args: object) =>
    (await rpc('tools/call', { name: 'manage_proxies', arguments: args })).json.result
  assert.equal((await ask({ action: 'get', id: 'pay' })).isError ?? false, false)
  const away = await ask({ action: 'update', id: 'list-orders', name: 'Mine' })
  assert.equal(away.isError, true)
  assert.match(JSON.stringify(away.content), /There is no proxy/)
})

test('the trail has who, by which grant, and what was denied', async () => {
  const issued = await server.manage('GET', '/audit?operation=access_tokens.create&text=Ada')
  assert.deepEqual(issued.json.items[0].diff[0], {
    op: 'add',
    path: '/grants',
    value: ['modifier:proxies@payments', 'viewer@payments'],
  })
  const denied = await server.manage('GET', '/audit?outcome=denied&actor=Ada')
  assert.deepEqual(denied.json.items.map(({ operation }: { operation: string }) => operation).sort(), [
    'collections.get',
    'collections.update',
    'proxies.update',
    'proxies.update',
  ])
  const own = await manage('GET', '/audit?limit=200')
  assert.ok(own.json.items.length > 0)
  for (const { resource } of own.json.items) assert.ok(['proxy', 'collection'].includes(resource.type))
})

test('a collection that takes over the slug of a deleted one is beyond the scope that named that', async () => {
  const made = await server.manage('POST', '/collections', { name: 'Short', base_path: '/short' })
  assert.equal(made.status, 201, made.text)
  const { token: short } = await server.running.issueToken({
    grants: ['viewer@short'],
    ttl: '1h',
    name: 'Short',
  })
  const see = async () =>
    (await server.manage('GET', '/collections', undefined, { token: short })).json.items.length
  assert.equal(await see(), 1)
  await server.manage('DELETE', '/collections/short?confirm=short')
  await server.manage('POST', '/collections', { name: 'Short', base_path: '/short' })
  assert.equal(await see(), 0)
})

test('a grant that says nothing clear issues no token, and says why', async () => {
  const cases = [
    [
      ['--grant', 'modifier:proxy'],
      /"modifier:proxy" is not a valid grant: after the colon, name one or more types/,
    ],
    [['--grant', 'viewer@nowhere'], /there is no collection "nowhere"/],
    [['--grant', 'viewer', '--role', 'admin'], /cannot be used with option/],
  ] as const
  for (const [flags, reason] of cases) {
    const given = await runCommand(server.data, ['token', ...flags])
    assert.notEqual(given.code, 0)
    assert.equal(given.out, '')
    assert.match(given.err, reason)
  }
  await assert.rejects(server.running.issueToken({ ttl: '5m' }), /either role or grants/)
})

test('an attempt beyond the scope is denied in the trail, and one at what does not exist has failed', async () => {
  const outcomeOf = async (operation: string): Promise<unknown[]> => {
    const { json } = await server.manage('GET', `/audit?operation=${operation}`)
    return [json.items[0]?.outcome, json.items[0]?.error]
  }
  assert.equal((await manage('PATCH', '/proxies/orders:list-orders', { name: 'x' })).status, 404)
  assert.deepEqual(await outcomeOf('proxies.update'), ['denied', 'not_found'])
  assert.equal((await manage('PATCH', '/proxies/orders:nothing', { name: 'x' })).status, 404)
  assert.equal((await manage('PATCH', '/proxies/payments:nothing', { name: 'x' })).status, 404)
  assert.deepEqual(await outcomeOf('proxies.update'), ['failed', 'not_found'])
  assert.equal((await manage('GET', '/proxies/orders:list-orders')).status, 404)
  await eventually(async () => (await outcomeOf('proxies.get'))[0] === 'denied')
})

test('what is deleted with its parent has an entry of its own that names the cause', async () => {
  const made = [
    ['/collections', { name: 'Gone', base_path: '/gone' }],
    ['/proxies', { collection: 'gone', name: 'Below', methods: ['GET'], path: '/' }],
    ['/clients', { name: 'Leaver' }],
  ] as const
  for (const [path, body] of made) assert.equal((await server.manage('POST', path, body)).status, 201)
  for (const [path, slug] of [
    ['/collections', 'gone'],
    ['/clients', 'leaver'],
  ])
    assert.equal((await server.manage('DELETE', `${path}/${slug}`, { confirm: slug })).status, 200)
  for (const [type, parent, slug] of [
    ['proxy', 'collection', 'below'],
    ['profile', 'client', 'default'],
  ]) {
    const { json } = await server.manage('GET', `/audit?resource_type=${type}&action=DELETE`)
    const [entry] = json.items
    const above = parent === 'collection' ? 'gone' : 'leaver'
    assert.deepEqual([entry.resource.slug, entry.revision_after], [slug, null])
    assert.equal(entry.detail, `Deleted with the ${parent} "${above}".`)
    const of = await server.manage('GET', `/audit?resource_type=${parent}&action=DELETE`)
    assert.equal(of.json.items[0].config_revision, entry.config_revision, 'of the same change')
    assert.equal(of.json.items[0].request_id, entry.request_id)
  }
  assert.equal((await server.manage('POST', '/audit/verify', {})).json.state ?? 'intact', 'intact')
})

test('manage_credentials rotates a token of a profile only when the profile is named', async () => {
  await server.manage('POST', '/clients', {
    name: 'Holder',
    profiles: [{ name: 'Main', auth: { type: 'token' } }],
  })
  const rotate = async (args: object): Promise<Reply> =>
    askMcp(server, '/management/mcp', server.adminToken, 'tools/call', {
      name: 'manage_credentials',
      arguments: { action: 'rotate', ...args },
    })
  const rotations = async (): Promise<number> =>
    (await server.manage('GET', '/audit?operation=profiles.rotate&outcome=ok')).json.items.length
  assert.match((await rotate({ id: 'holder:main' })).text, /isError":true/)
  assert.equal(await rotations(), 0)
  assert.doesNotMatch((await rotate({ profile: 'holder:main' })).text, /isError":true/)
  assert.doesNotMatch(
    (await rotate({ arguments: { profile: 'holder:main', overlap: '0s' } })).text,
    /isError":true/,
  )
  assert.equal(await rotations(), 2)
  assert.match((await rotate({ id: 'other', profile: 'holder:main' })).text, /give only one of the two/)
})
