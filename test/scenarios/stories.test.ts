/** What people come with, each by the doors of assistants, of programs and of the command line: the same is done and noted. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { addUser, consent, register, tokensFor } from '../support/authorization.ts'
import { AUTHORIZED_PEERS } from '../support/authorized-clients.ts'
import { Browser } from '../support/browser.ts'
import { cliDoor, type Door, mcpDoor, restDoor } from '../support/doors.ts'
import { runPage } from '../support/page.ts'
import { runCommand } from './cli.ts'
import { call, startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let server: TestServer
let upstream: TestUpstream
let doors: readonly Door[]
const assistants: { close(): Promise<void> }[] = []

before(async () => {
  upstream = await startUpstream()
  server = await startTestServer()
  for (const name of ['Payments', 'Orders']) {
    const slug = name.toLowerCase()
    const targets = [{ url: upstream.url }]
    await made('/collections', { name, base_path: `/${slug}`, tags: ['trade'], upstream: { targets } })
    await made('/proxies', {
      collection: slug,
      name: 'All',
      methods: ['GET'],
      path: '/*',
      status: 'published',
    })
    await server.manage('POST', `/collections/${slug}/publish`, {})
  }
  doors = await doorsOf('erin', 'modifier')
})
after(async () => {
  await Promise.all(assistants.map((one) => one.close()))
  await server.stop()
  await upstream.close()
})

async function made(path: string, body: object): Promise<void> {
  const reply = await server.manage('POST', path, body)
  assert.equal(reply.status, 201, reply.text)
}

const site = () => {
  const { origin } = server.running
  const manage = async (method: string, path: string, body?: unknown) => {
    const reply = await server.manage(method, path, body)
    return { status: reply.status, headers: reply.headers, body: reply.json }
  }
  return { origin, manage }
}

/** What people are let do here. */
const GRANTS: Readonly<Record<string, object>> = {
  viewer: { role: 'viewer' },
  modifier: { role: 'modifier' },
  auditor: { role: 'auditor' },
  'viewer-of-proxies': { role: 'viewer', scope: { resource_types: ['proxies'] } },
  'modifier-of-proxies': { role: 'modifier', scope: { resource_types: ['proxies'] } },
}

/** Somebody new with a role, at each door: the assistant finds its way to sign in by the URL alone. */
async function doorsOf(name: string, role: string): Promise<readonly Door[]> {
  const { origin } = site()
  const browser = new Browser(origin)
  await addUser(site(), name)
  await made('/grants', { user: name, name: `${name} is ${role}`, ...GRANTS[role] })
  const assistant = await AUTHORIZED_PEERS['SDK v2']!(
    `${origin}/management/mcp`,
    async (url) => (await consent(browser, url, name)).url,
  )
  assistants.push(assistant)
  const token = await tokenOf(name, browser)
  return [mcpDoor(assistant), restDoor(origin, token), cliDoor(origin, token)]
}

/** A token for the doors of programs and of the command line. */
async function tokenOf(
  name: string,
  browser: Browser,
  more: { readonly scope?: string } = {},
): Promise<string> {
  const { origin } = site()
  const client = await register(origin)
  const wanted = { resource: `${origin}/management/v1`, ...more }
  return (await tokensFor(origin, browser, client, wanted, name)).access_token
}

interface Entry {
  readonly id: string
  readonly operation: string
  readonly action: string
  readonly surface: string
  readonly outcome: string
  readonly actor: { readonly name: string; readonly type: string }
  readonly resource: { readonly type: string; readonly slug: string | null }
  readonly diff: readonly { readonly op: string; readonly path: string }[] | null
}

async function entriesOf(actor: string, door: Door): Promise<readonly Entry[]> {
  const { json, text } = await server.manage('GET', `/audit?actor=${actor}&surface=${door.name}&limit=200`)
  assert.ok(Array.isArray(json?.items), text)
  return json.items
}

/** What entries say, oldest first, without what names the door. */
function toldBy(entries: readonly Entry[], suffix: string): unknown[] {
  return (
    entries
      // A model gets a link to a secret in the place of the secret
      .filter(({ operation }) => !operation.startsWith('secret_links.'))
      .map(({ operation, action, outcome, resource, diff }) => ({
        operation,
        action,
        outcome,
        type: resource.type,
        slug: resource.slug?.replace(suffix, ''),
        paths: diff?.map(({ op, path }) => `${op} ${path.replace(/(key|req)_\w+/g, '$1')}`),
      }))
      .reverse()
  )
}

/** Runs a story at each door, and holds that their trails differ in nothing else. */
async function atEachDoor(
  actor: string,
  which: readonly Door[],
  story: (door: Door, suffix: string) => Promise<void>,
): Promise<readonly unknown[]> {
  const trails: unknown[][] = []
  for (const [index, door] of which.entries()) {
    const suffix = `-${['assistant', 'program', 'terminal'][index]}`
    const before = new Set((await entriesOf(actor, door)).map(({ id }) => id))
    await story(door, suffix)
    const added = (await entriesOf(actor, door)).filter(({ id }) => !before.has(id))
    trails.push(toldBy(added, suffix))
  }
  for (const trail of trails) assert.deepEqual(trail, trails[0])
  return trails[0]!
}

async function done(door: Door, ...[name, input, options]: Parameters<Door['run']>) {
  const { ok, output } = await door.run(name, input, options)
  assert.ok(ok, `${name} at ${door.name}: ${JSON.stringify(output)}`)
  return output
}

async function refusedWith(code: string, door: Door, ...[name, input, options]: Parameters<Door['run']>) {
  const { ok, output } = await door.run(name, input, options)
  assert.deepEqual([ok, output.code], [false, code], `${name} at ${door.name}: ${JSON.stringify(output)}`)
  return output
}

test('a partner is onboarded: two APIs, a thousand requests a minute, sandbox credentials', async () => {
  const trail = await atEachDoor('erin', doors, async (door, suffix) => {
    const slug = `acme${suffix}`
    const limits = [{ name: 'minute', kind: 'rate', max: 1000, window: '1m' }]
    await done(door, 'policies.create', { name: `Thousand${suffix}`, limits })
    const policy = `thousand${suffix}`
    await done(door, 'clients.create', { name: slug, collections: ['payments', 'orders'], policy })
    const profile = await done(door, 'profiles.create', {
      client: slug,
      name: `Sandbox${suffix}`,
      auth: { type: 'token' },
    })
    const token = await tokenIn(profile)
    const ask = () => call('GET', `${server.running.gatewayUrl}/payments/charges`, { token })
    const first = await ask()
    assert.equal(first.status, 200)
    assert.match(first.headers.get('ratelimit') ?? '', /"minute";r=999;/)
    // The same limit by another door is spent no other way
    if (door !== doors[0]) return
    const statuses: number[] = []
    for (let batch = 0; batch < 20; batch++)
      statuses.push(...(await Promise.all(Array.from({ length: 50 }, ask))).map(({ status }) => status))
    assert.equal(statuses.filter((status) => status === 200).length, 999)
    const refused = await ask()
    assert.equal(refused.status, 429)
    assert.ok(Number(refused.headers.get('retry-after')) >= 1)
  })
  assert.deepEqual(
    trail.map((entry) => (entry as Entry).operation),
    ['policies.create', 'clients.create', 'profiles.create'],
  )
})

/** The token of a new profile; models get a link in its place, which a person opens. */
async function tokenIn(profile: Record<string, unknown>): Promise<string> {
  if (typeof profile['token'] === 'string') return profile['token']
  const link = String(profile['token_link'])
  const page = await fetch(link, { method: 'POST' })
  const text = await page.text()
  const token = /pst_pk_[\w]+/.exec(text)?.[0]
  assert.ok(token !== undefined, `${JSON.stringify(profile)} ${page.status} ${text}`)
  return token
}

test('what a workflow does and how callers prove themselves is read off the live gateway', async () => {
  const definition = {
    nodes: [
      { id: 'http', type: 'http_trigger' },
      { id: 'end', type: 'response_node' },
    ],
    edges: [{ from: 'http', to: 'end' }],
  }
  await made('/proxies', { collection: 'payments', name: 'Refund', methods: ['POST'], path: '/refunds' })
  await server.manage('POST', '/proxies/payments:refund/set_workflow', { definition })
  await atEachDoor('erin', doors, async (door) => {
    const shown = await done(door, 'proxies.workflow', { id: 'payments:refund' })
    assert.deepEqual(
      shown.definition.nodes.map(({ type }: { type: string }) => type),
      ['http_trigger', 'response_node'],
    )
    assert.deepEqual([shown.runs, typeof shown.revision], [false, 'number'])
    const { items } = await done(door, 'profiles.list', { limit: 5 })
    for (const { auth, revision } of items) assert.ok(auth.type === 'token' && revision >= 1)
  })
})

test('the tokens of a tag are rotated with an overlap, and no call fails', async () => {
  const trail = await atEachDoor('erin', doors, async (door, suffix) => {
    const client = `rota${suffix}`
    await done(door, 'clients.create', { name: client, collections: ['payments'], tags: [`due${suffix}`] })
    const spec = { client, name: `Live${suffix}`, auth: { type: 'token' } }
    const old = await tokenIn(await done(door, 'profiles.create', spec))
    const statusWith = async (token: string): Promise<number> =>
      (await call('GET', `${server.running.gatewayUrl}/payments/charges`, { token })).status
    const stale = await done(door, 'credentials.stale', {
      tag: `due${suffix}`,
      older_than: '1d',
      expiring_within: '365d',
    })
    const due = stale.items.filter(({ ref }: { ref: string }) => ref.endsWith(`live${suffix}`))
    assert.equal(due.length, 1, JSON.stringify(stale))
    const { ref, credential_id: id } = due[0]
    const rotated = await done(door, 'profiles.rotate', { id: ref, overlap: '1h' })
    const fresh = await tokenIn(rotated)
    assert.deepEqual([await statusWith(old), await statusWith(fresh)], [200, 200])
    if (door.name === 'management_mcp') assert.ok(!JSON.stringify(rotated).includes(fresh), 'no model saw it')
    await done(door, 'profiles.revoke', { id: ref, credential_id: id })
    assert.deepEqual([await statusWith(old), await statusWith(fresh)], [401, 200])
  })
  assert.deepEqual(
    trail.map((entry) => (entry as Entry).operation),
    ['clients.create', 'profiles.create', 'profiles.rotate', 'profiles.revoke'],
  )
})

test('an auditor learns what was deleted and who changed Payments, and others do not', async () => {
  const auditors = await doorsOf('audrey', 'auditor')
  await atEachDoor('erin', doors, async (door, suffix) => {
    await done(door, 'collections.create', { name: `Gone${suffix}`, base_path: `/gone${suffix}` })
    await done(door, 'collections.delete', { id: `gone${suffix}` }, { confirm: `gone${suffix}` })
    const description = `by ${door.name}`
    await done(door, 'proxies.update', { id: 'payments:all', description }, { reason: 'INC-7' })
  })
  await atEachDoor('audrey', auditors, async (door) => {
    const deleted = await done(door, 'audit.list', {
      resource_type: 'collection',
      action: 'DELETE',
      from: '-30d',
    })
    const told = deleted.items.map(({ resource, actor }: Entry) => [resource.slug, actor.name])
    assert.deepEqual(
      told.sort(),
      ['assistant', 'program', 'terminal'].map((one) => [`gone-${one}`, 'erin']),
    )
    const changed = await done(door, 'audit.list', { collection: 'payments', action: 'UPDATE', from: '-7d' })
    const surfaces = new Set(
      changed.items
        .filter(({ operation, actor }: Entry) => operation === 'proxies.update' && actor.name === 'erin')
        .map(({ surface }: Entry) => surface),
    )
    assert.deepEqual([...surfaces].sort(), ['cli', 'management_api', 'management_mcp'])
    assert.equal((await done(door, 'audit.verify')).ok, true)
    await refusedWith('permission_denied', door, 'collections.list')
  })
  for (const door of await doorsOf('nora', 'viewer-of-proxies'))
    await refusedWith('permission_denied', door, 'audit.list')
})

test('a pipeline changes what it may, and running it again changes nothing', async () => {
  const viewers = await doorsOf('vic', 'viewer')
  const deployers = await doorsOf('dana', 'modifier-of-proxies')
  const target = (n: number) => ({ targets: [{ url: `${upstream.url}/v${n}` }] })
  for (const [index, door] of viewers.entries()) {
    const staging = await done(door, 'collections.get', { id: 'payments' })
    assert.equal(staging.status, 'published')
    await refusedWith('permission_denied', door, 'collections.update', { id: 'orders', upstream: target(1) })
    const deployer = deployers[index]!
    await refusedWith('permission_denied', deployer, 'credentials.list')
    const change = { id: 'orders:all', description: `release ${index}`, timeouts: { first_byte: '9s' } }
    const first = await done(deployer, 'proxies.update', change)
    const again = await done(deployer, 'proxies.update', change)
    assert.equal(again.revision, first.revision, 'the same again is no change')
  }
})

test('a line of a script updates a proxy without saying what it sends, and the trail names its identity', async () => {
  await made('/service_identities', { name: 'Deploy job', slug: 'deploy-job' })
  await made('/grants', { service_identity: 'deploy-job', name: 'Deploys', role: 'modifier' })
  const { json } = await server.manage('POST', '/service_identities/deploy-job/issue_secret', {})
  const { origin } = site()
  const issued = await call('POST', `${origin}/oauth/token`, {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: 'deploy-job',
      client_secret: json.client_secret,
      resource: `${origin}/management/mcp`,
      scope: 'management:write',
    }).toString(),
  })
  assert.equal(issued.status, 200, issued.text)
  // As curl -d sends it
  const reply = await call('POST', `${origin}/management/mcp`, {
    token: issued.json.access_token,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: JSON.stringify({
      tool: 'manage_proxies',
      action: 'update',
      id: 'payments:all',
      changes: { description: 'Deployed by a line' },
    }),
  })
  assert.equal(reply.status, 200, reply.text)
  assert.deepEqual([reply.json.ok, reply.json.result.description], [true, 'Deployed by a line'])
  const { json: trail } = await server.manage('GET', '/audit?operation=proxies.update&limit=1')
  const [{ actor, surface }] = trail.items
  assert.deepEqual([actor.name, actor.type, surface], ['deploy-job', 'service', 'management_mcp'])
})

test('a change that a rule covers waits at every door until another person approves it', async () => {
  await made('/collections', { name: 'Ledger', base_path: '/ledger' })
  await made('/proxies', { collection: 'ledger', name: 'All', methods: ['GET'], path: '/*' })
  const { origin } = site()
  await addUser(site(), 'bob')
  await made('/grants', { user: 'bob', name: 'all', role: 'admin' })
  const scope = 'management:read management:write management:admin'
  const ADA = await tokenOf('erin', new Browser(origin))
  const BOB = await tokenOf('bob', new Browser(origin), { scope })
  assert.equal(await runPage('approvals.md', server, { payments: 'ledger', $ADA: ADA, $BOB: BOB }), 3)
  const bob = cliDoor(origin, BOB)
  const trail = await atEachDoor('erin', doors, async (door) => {
    const change = { id: 'ledger:all', description: door.name }
    const dry = await done(door, 'proxies.update', change, { dryRun: true })
    // The client of programs has it beside the answer
    if (door.name !== 'management_api') assert.deepEqual(dry.approval_needed, ['Payments needs two'])
    const asked = await done(door, 'proxies.update', change)
    assert.equal(asked.waits_for_approval, true)
    const { id } = asked.change_request
    assert.equal((await done(door, 'change_requests.get', { id })).state, 'open')
    await refusedWith('permission_denied', door, 'change_requests.approve', { id })
    assert.equal((await done(bob, 'change_requests.approve', { id })).state, 'applied')
    assert.equal((await done(door, 'proxies.get', { id: 'ledger:all' })).description, door.name)
  })
  assert.deepEqual(
    trail.map((entry) => (entry as Entry).operation),
    ['change_requests.create', 'change_requests.approve', 'proxies.update'],
  )
  const { json } = await server.manage('GET', '/audit?operation=proxies.update&actor=erin&limit=1')
  assert.equal(json.items[0].approver.name, 'bob')
  const told = await runCommand('', ['proxies', 'update', 'ledger:all', '--description', 'typed'], {
    env: { POSTERN_URL: origin, POSTERN_TOKEN: ADA },
  })
  assert.equal(told.code, 0)
  assert.match(told.out, /^Waits for approval: chg_\w+\n$/)
  assert.match(told.err, /"typed"[\s\S]*Payments needs two[\s\S]*postern change-requests approve chg_/)
  await server.manage('PATCH', '/settings/current', { approvals: [] })
})
