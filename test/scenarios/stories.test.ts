/** What people come with, each by the doors of assistants, of programs and of the command line: the same is done and noted. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { addUser } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { cliDoor, type Door } from '../support/doors.ts'
import { runPage } from '../support/page.ts'
import {
  atEachDoor as atEachDoorOf,
  done,
  doorsOf as doorsOfServer,
  type Entry,
  entriesOf as entriesOfServer,
  refusedWith,
  siteOf,
  tokenIn,
  tokenOf as tokenOfServer,
} from '../support/stories.ts'
import { runCommand } from './cli.ts'
import { call, type Reply, startTestServer, type TestServer } from './server.ts'
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

const site = () => siteOf(server)

/** What people are let do here. */
const GRANTS: Readonly<Record<string, object>> = {
  viewer: { role: 'viewer' },
  modifier: { role: 'modifier' },
  auditor: { role: 'auditor' },
  'viewer-of-proxies': { role: 'viewer', scope: { resource_types: ['proxies'] } },
  'modifier-of-proxies': { role: 'modifier', scope: { resource_types: ['proxies'] } },
}

const doorsOf = async (name: string, role: string): Promise<readonly Door[]> => {
  const { doors: opened, close } = await doorsOfServer(server, name, GRANTS[role]!)
  assistants.push({ close })
  return opened
}
const tokenOf = (name: string, browser: Browser, more: { readonly scope?: string } = {}) =>
  tokenOfServer(server, name, browser, more)
const entriesOf = (actor: string, door: Door) => entriesOfServer(server, actor, door)
const atEachDoor = (
  actor: string,
  which: readonly Door[],
  story: (door: Door, suffix: string) => Promise<void>,
) => atEachDoorOf(server, actor, which, story)

/** Refused for want of a permission, which is named. */
async function denied(permission: string, door: Door, ...asked: Parameters<Door['run']>) {
  const { status, detail } = await refusedWith('permission_denied', door, ...asked)
  assert.deepEqual([status, detail], [403, `This needs the permission ${permission}.`])
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
    const ask = (path = '/payments/charges') => call('GET', `${server.running.gatewayUrl}${path}`, { token })
    for (const [path, left] of [
      ['/payments/charges', 999],
      ['/orders/list', 998],
    ] as const) {
      const answer = await ask(path)
      assert.equal(answer.status, 200, answer.text)
      assert.match(answer.headers.get('ratelimit') ?? '', new RegExp(`"minute";r=${left};`))
    }
    // The same limit by another door is spent no other way
    if (door !== doors[0]) return
    for (let calls = 2; calls < 1000; ) {
      const batch = await Promise.all(Array.from({ length: Math.min(50, 1000 - calls) }, () => ask()))
      for (const { status, text } of batch) assert.equal(status, 200, text)
      calls += batch.length
    }
    const refused = await ask()
    assert.deepEqual([refused.status, refused.json.code], [429, 'rate_limit_exceeded'], refused.text)
    const wait = Number(refused.headers.get('retry-after'))
    assert.ok(wait >= 1 && wait <= 60, `${wait}`)
  })
  assert.deepEqual(
    trail.map(({ operation, outcome, slug }) => [operation, outcome, slug]),
    [
      ['policies.create', 'ok', 'thousand'],
      ['clients.create', 'ok', 'acme'],
      ['profiles.create', 'ok', 'sandbox'],
    ],
  )
})

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
  const auth = { type: 'jwt', issuer: 'https://teller.test' }
  await made('/clients', { name: 'Teller', collections: ['payments'], profiles: [] })
  await made('/profiles', { client: 'teller', name: 'Counter', auth })
  const trail = await atEachDoor('erin', doors, async (door) => {
    const shown = await done(door, 'proxies.workflow', { id: 'payments:refund' })
    assert.deepEqual(
      shown.definition.nodes.map(({ type }: { type: string }) => type),
      ['http_trigger', 'response_node'],
    )
    const proxy = await done(door, 'proxies.get', { id: 'payments:refund' })
    assert.deepEqual([shown.runs, shown.revision, proxy.revision], [false, 2, 2])
    const clients = await done(door, 'clients.list', { collections: 'payments' })
    assert.ok(clients.items.some(({ slug }: { slug: string }) => slug === 'teller'))
    const { items } = await done(door, 'profiles.list', { client: 'teller' })
    assert.deepEqual(
      items.map((one: Record<string, never>) => [
        one['slug'],
        one['auth']!['type'],
        one['auth']!['issuer'],
        one['revision'],
      ]),
      [['counter', 'jwt', auth.issuer, 1]],
    )
  })
  assert.deepEqual(trail, [], 'to look is no change')
})

/** A door, and all that was said at it. */
function heardAt(door: Door): { readonly door: Door; readonly transcript: unknown[] } {
  const transcript: unknown[] = []
  const run: Door['run'] = async (...asked) => {
    const outcome = await door.run(...asked)
    transcript.push(asked, outcome)
    return outcome
  }
  return { door: { name: door.name, run }, transcript }
}

test('the tokens of a tag are rotated with an overlap, and no call fails', async () => {
  const trail = await atEachDoor('erin', doors, async (own, suffix) => {
    const { door, transcript } = heardAt(own)
    const client = `rota${suffix}`
    const tags = [`due${suffix}`]
    await done(door, 'clients.create', { name: client, collections: ['payments'], profiles: [] })
    const tokens = new Map<string, string>()
    for (const name of [`Live${suffix}`, `Batch${suffix}`]) {
      const made = await done(door, 'profiles.create', { client, name, tags, auth: { type: 'token' } })
      tokens.set(name.toLowerCase(), await tokenIn(made))
    }
    await done(door, 'profiles.create', { client, name: `Other${suffix}`, auth: { type: 'token' } })
    const answer = async (token: string): Promise<number> =>
      (await call('GET', `${server.running.gatewayUrl}/payments/charges`, { token })).status
    const answers = (token: string) => Promise.all([1, 2, 3, 4, 5].map(() => answer(token)))
    const served = [200, 200, 200, 200, 200]
    const stale = await done(door, 'credentials.stale', {
      tag: tags[0],
      older_than: '1d',
      expiring_within: '365d',
    })
    const slugs = stale.items.map(({ ref }: { ref: string }) => ref.replace(/^.*[:/]/, ''))
    assert.deepEqual(slugs.sort(), [...tokens.keys()].sort(), JSON.stringify(stale))
    for (const { ref, credential_id: id } of stale.items) {
      const old = tokens.get(ref.replace(/^.*[:/]/, ''))!
      const rotated = await done(door, 'profiles.rotate', { id: ref, overlap: '1h' })
      assert.deepEqual(await answers(old), served, 'while there is another')
      const fresh = await tokenIn(rotated)
      assert.deepEqual([await answers(old), await answers(fresh)], [served, served])
      await done(door, 'profiles.revoke', { id: ref, credential_id: id })
      assert.deepEqual([await answer(old), await answers(fresh)], [401, served])
      tokens.set(`new ${ref}`, fresh)
    }
    const { text } = await server.manage('GET', '/audit?limit=200')
    const said = door.name === 'management_mcp' ? JSON.stringify(transcript) : ''
    for (const token of tokens.values()) assert.ok(!said.includes(token) && !text.includes(token))
  })
  assert.deepEqual(
    trail.map(({ operation }) => operation),
    [
      'clients.create',
      ...['profiles.create', 'profiles.create', 'profiles.create'],
      ...['profiles.rotate', 'profiles.revoke', 'profiles.rotate', 'profiles.revoke'],
    ],
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
    const who = changed.items
      .filter(({ operation }: Entry) => operation === 'proxies.update')
      .map((entry: Entry) => [entry.resource.slug, entry.actor.name, entry.surface, entry.reason])
    assert.deepEqual(
      who.sort(),
      ['cli', 'management_api', 'management_mcp'].map((surface) => ['all', 'erin', surface, 'INC-7']),
    )
    const verified = await done(door, 'audit.verify')
    assert.deepEqual([verified.ok, verified.entries > 0], [true, true], JSON.stringify(verified))
    await denied('collections:read', door, 'collections.list')
  })
  const others = await doorsOf('nora', 'viewer-of-proxies')
  const trail = await atEachDoor('nora', others, (door) => denied('audit:read', door, 'audit.list'))
  assert.deepEqual(
    trail.map(({ operation, outcome }) => [operation, outcome]),
    [['audit.list', 'denied']],
  )
})

/** What a pipeline does to production, one call after the other, each under a key of its own. */
function promotion(suffix: string, of: typeof RELEASE): readonly (readonly [string, object])[] {
  const proxy = `production${suffix}:refund`
  return [
    ['collections.update', { id: `production${suffix}`, upstream: of.upstream }],
    ['proxies.set_workflow', { id: proxy, definition: of.definition }],
    ['proxies.update', { id: proxy, description: of.description }],
  ]
}

const RELEASE = {
  upstream: { targets: [{ url: 'http://127.0.0.1:9042' }] },
  description: 'Release 42',
  definition: {
    nodes: [
      { id: 'http', type: 'http_trigger' },
      { id: 'end', type: 'response_node' },
    ],
    edges: [{ from: 'http', to: 'end' }],
  },
}

test('a pipeline promotes staging to production: killed midway, run again, and once more', async () => {
  for (const end of ['assistant', 'program', 'terminal']) {
    const upstream = { targets: [{ url: 'http://127.0.0.1:9041' }] }
    await made('/collections', { name: `Production-${end}`, base_path: `/production-${end}`, upstream })
    const refund = { name: 'Refund', methods: ['POST'], path: '/refunds' }
    await made('/proxies', { collection: `production-${end}`, ...refund })
  }
  const looking = await atEachDoor('vic', await doorsOf('vic', 'viewer'), async (door, suffix) => {
    const staging = await done(door, 'collections.get', { id: 'payments' })
    assert.deepEqual([staging.slug, staging.status], ['payments', 'published'])
    const { definition } = RELEASE
    assert.deepEqual((await done(door, 'workflows.validate', { definition })).findings, [])
    const [operation, input] = promotion(suffix, RELEASE)[0]!
    await denied('collections:update', door, operation, { ...input })
  })
  assert.deepEqual(
    looking.map(({ operation, outcome }) => [operation, outcome]),
    [['collections.update', 'denied']],
  )
  const narrow = await doorsOf('dana', 'modifier-of-proxies')
  const refusals = await atEachDoor('dana', narrow, async (door) => {
    await denied('credentials:read', door, 'credentials.list')
    const auth = { type: 'bearer', token: 'planted' }
    await denied('credentials:create', door, 'credentials.create', { name: 'Taken', auth })
  })
  assert.deepEqual(
    refusals.map(({ operation, outcome }) => [operation, outcome]),
    [
      ['credentials.list', 'denied'],
      ['credentials.create', 'denied'],
    ],
  )

  const promoted = await atEachDoor('erin', doors, async (door, suffix) => {
    const steps = promotion(suffix, RELEASE)
    /** Up to a step, before which the pipeline is killed. Gives what it was answered. */
    const run = async (end: number) => {
      const answers: unknown[] = []
      for (const [index, [operation, input]] of steps.slice(0, end).entries()) {
        const options = { idempotencyKey: `release-42${suffix}-${index}`, reason: `release 42${suffix}` }
        answers.push(await done(door, operation, { ...input }, options))
      }
      return answers
    }
    const audited = async () =>
      (await entriesOf('erin', door))
        .filter(({ reason }) => reason === `release 42${suffix}`)
        .map(({ operation, outcome }) => `${operation} ${outcome}`)
        .reverse()
    const ok = steps.map(([operation]) => `${operation} ok`)
    const state = async () => {
      const { upstream } = await done(door, 'collections.get', { id: `production${suffix}` })
      const refund = { id: `production${suffix}:refund` }
      const { definition } = await done(door, 'proxies.workflow', refund)
      const { description } = await done(door, 'proxies.get', refund)
      return [upstream.targets[0].url, definition?.nodes.length ?? 0, description]
    }
    const first = await run(1)
    assert.deepEqual(await audited(), ok.slice(0, 1), 'what was completed, and nothing else')
    assert.deepEqual(await state(), ['http://127.0.0.1:9042', 0, ''])
    const second = await run(steps.length)
    assert.deepEqual(second.slice(0, 1), first, 'what was done is answered again')
    assert.deepEqual([await audited(), await state()], [ok, ['http://127.0.0.1:9042', 2, 'Release 42']])
    assert.deepEqual(await run(steps.length), second)
    assert.deepEqual(await audited(), ok, 'once more leaves nothing')
    // A pipeline of tomorrow, with no memory of this one, finds that there is nothing to do
    const revisions = async () => [
      (await done(door, 'collections.get', { id: `production${suffix}` })).revision,
      (await done(door, 'proxies.get', { id: `production${suffix}:refund` })).revision,
    ]
    const before = await revisions()
    for (const [operation, input] of steps) await done(door, operation, { ...input })
    assert.deepEqual(await revisions(), before)
  })
  assert.deepEqual(
    promoted.slice(0, 3).map(({ operation, outcome, slug }) => [operation, outcome, slug]),
    [
      ['collections.update', 'ok', 'production'],
      ['proxies.set_workflow', 'ok', 'refund'],
      ['proxies.update', 'ok', 'refund'],
    ],
  )
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
  const change = (description: string): string =>
    JSON.stringify({ tool: 'manage_proxies', action: 'update', id: 'payments:all', changes: { description } })
  const authorization = `Bearer ${issued.json.access_token}`
  // As curl -d sends it, and with no word of what it is
  for (const [type, description] of [
    ['application/x-www-form-urlencoded', 'Deployed by a line'],
    [null, 'Deployed without a type'],
  ] as const) {
    const response = await fetch(`${origin}/management/mcp`, {
      method: 'POST',
      headers: { authorization, ...(type === null ? {} : { 'content-type': type }) },
      // Bytes: fetch would call a text one
      body: new TextEncoder().encode(change(description)),
    })
    const { ok, result } = (await response.json()) as Reply['json']
    assert.deepEqual([response.status, ok, result?.description], [200, true, description])
    const { json: trail } = await server.manage('GET', '/audit?operation=proxies.update&limit=1')
    const [{ actor, action, outcome, resource, surface }] = trail.items
    assert.deepEqual([actor.name, actor.type, surface], ['deploy-job', 'service', 'management_mcp'])
    assert.deepEqual([action, outcome, resource.slug], ['UPDATE', 'ok', 'all'])
  }
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
    trail.map(({ operation }) => operation),
    ['change_requests.create', 'change_requests.approve', 'proxies.update'],
  )
  const { json } = await server.manage('GET', '/audit?operation=proxies.update&actor=erin&limit=1')
  assert.equal(json.items[0].approver.name, 'bob')
  const told = await runCommand('', ['proxies', 'update', 'ledger:all', '--description', 'typed'], {
    env: { POSTERN_URL: origin, POSTERN_TOKEN: ADA },
  })
  assert.equal(told.code, 0)
  assert.match(told.out, /^Waiting for approval: chg_\w+\n$/)
  assert.match(told.err, /"typed"[\s\S]*Payments needs two[\s\S]*postern change-requests approve chg_/)
  await server.manage('PATCH', '/settings/current', { approvals: [{ name: 'All', permissions: ['*:*'] }] })
  const waits = await server.manage('PATCH', '/settings/current', { approvals: [] })
  assert.equal(waits.status, 202)
  assert.match(waits.headers.get('location') ?? '', /^\/management\/v1\/change_requests\/chg_/)
  const body = { tool: 'manage_config', action: 'update_settings', approvals: [] }
  const line = await call('POST', `${origin}/management/mcp`, { token: server.adminToken, body })
  assert.deepEqual([line.status, line.json.ok, line.json.result.waits_for_approval], [202, true, true])
  const none = ['settings', 'update', '--json', '{"approvals": []}', '-o', 'json']
  const out = await runCommand(server.data, none)
  assert.deepEqual(JSON.parse(out.out).approvals, [], out.err)
})
