import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, operationOf, refused, startControl, VIA } from '../../../test/control.ts'
import { createClock } from '../../base/clock.ts'
import type { StoredConnection } from '../../store/ports/connections.ts'
import type { OAuthArtifact } from '../../store/ports/oauth.ts'
import { createAccounts } from '../access/accounts.ts'
import { PARTS } from './reach.ts'

let control: Control
const ended: string[] = []
const ids: Record<string, string> = {}
const run: Control['run'] = (...call) => control.run(...call)

before(async () => {
  control = await startControl({
    deps: {
      grantsEnded: async (grants) => {
        ended.push(...grants)
        return { pending: false }
      },
    },
  })
  await run('users.create', { name: 'Root' })
  await run('grants.create', { user: 'root', name: 'All', role: 'admin' })
  await run('roles.create', { name: 'Publisher', permissions: ['proxies:publish'] })
  await run('teams.create', { name: 'Support' })
  await run('grants.create', { team: 'support', name: 'Look', role: 'viewer' })
  await run('collections.create', { name: 'Orders', base_path: '/orders' })
  const origin = await run('origins.create', { name: 'Tickets', url: 'http://127.0.0.1:9001/mcp' })
  ids['tickets'] = String(origin.output['id'])
  const desk = { members: [{ origin: 'tickets' }], status: 'published' }
  await run('virtual_mcps.create', { ...desk, name: 'Desk', teams: ['support'] })
  await run('virtual_mcps.create', { ...desk, name: 'All hands', all_users: true })
  await run('clients.create', { name: 'Acme', collections: ['orders'] })
  await run('hosts.create', { name: 'Nightly' })
  await make('ada')
  await make('bob')
  await run('teams.create', {
    name: 'Tier 2',
    parent: 'support',
    members: [{ user: 'ada', role: 'admin' }, { user: 'bob' }],
  })
})
after(() => control.close())

/** A user who holds something of every part, but for the team. */
async function make(slug: string): Promise<void> {
  ids[slug] = String((await run('users.create', { name: slug })).output['id'])
  await run('grants.create', {
    user: slug,
    name: `${slug} publishes`,
    role: 'publisher',
    scope: { collections: ['orders'] },
  })
  await run('profiles.create', {
    ...{ client: 'acme', name: `${slug} web`, auth: { type: 'token' } },
    agent_sign_in: { users: [slug] },
  })
  await run('bindings.create', { name: slug, host: 'nightly', virtual_mcp: 'all-hands', user: slug })
  await run('bindings.issue_token', { id: `nightly:${slug}` })
  const accounts = createAccounts(control.store.read, createClock(control.cell), control.invoke)
  const self = await accounts.principalOf(ids[slug]!, { authMethod: 'oauth', expiresAt: null, ceiling: null })
  await control.invoke(operationOf('personal_tokens.create'), { name: 'export' }, {}, self, VIA)
  await control.store.write((writer) => writer.putPassword(ids[slug]!, 'hash', 0))
  await control.store.writeOAuth(async (oauth) => {
    await oauth.put(issued(slug, 'Grant', `grant of ${slug}`))
    await oauth.put(issued(slug, 'Session', `first of ${slug}`))
    await oauth.put(issued(slug, 'Session', `second of ${slug}`))
    await oauth.connections.put(connection(slug))
  })
}

const connection = (slug: string): StoredConnection => ({
  ...{
    user: ids[slug]!,
    origin: ids['tickets']!,
    id: `connection of ${slug}`,
    kind: 'oauth',
    state: 'connected',
  },
  ...{ active: true, account_label: `${slug}@tickets`, issuer: '', scope: '', sealed: 'sealed' },
  ...{ expires_at: null, created_at: 0, updated_at: 0 },
})

const issued = (slug: string, kind: string, id: string): OAuthArtifact => ({
  ...{ kind, id, sealed: '', grant_id: null, other_id: null, account_id: ids[slug]! },
  ...{ created_at: 0, expires_at: null, used_at: null },
})

// biome-ignore lint/suspicious/noExplicitAny: parts of many shapes; a test reads the members it asserts on
async function reach(slug: string, permissions?: readonly string[]): Promise<any> {
  const grants = permissions && [{ role: { permissions: new Set(permissions) } }]
  const { output } = await run('users.reach', { id: slug }, grants === undefined ? {} : { grants })
  const parsed = operationOf('users.reach').output.safeParse(output)
  assert.ok(parsed.success, parsed.error?.message)
  return output
}

const offboard = (slug: string, options: object = { confirm: slug }) =>
  run('users.offboard', { id: slug }, options)

test('a user reaches what is shared with them, each with the reason and the path of teams', async () => {
  const found = await reach('ada')
  assert.deepEqual(found.teams, [{ team: 'tier-2', role: 'admin', group: null, above: ['support'] }])
  const path = ['tier-2', 'support']
  assert.deepEqual(
    found.virtual_mcps.map(({ virtual_mcp, url, because }: Record<string, unknown>) => [
      virtual_mcp,
      url,
      because,
    ]),
    [
      [
        'all-hands',
        'http://localhost:8080/mcp/all-hands',
        [{ by: 'all_users', name: null, path: [], text: 'all users' }],
      ],
      [
        'desk',
        'http://localhost:8080/mcp/desk',
        [{ by: 'team', name: 'support', path, text: 'team tier-2 > support' }],
      ],
    ],
  )
  assert.deepEqual(found.profiles, [
    {
      profile: 'acme:ada-web',
      url: 'http://localhost:8080/mcp/-/acme/ada-web',
      active: true,
      collections: ['orders'],
      because: [{ by: 'user', name: null, path: [], text: 'names the user' }],
    },
  ])
  assert.deepEqual(found.grants, [
    {
      grant: 'publisher@orders',
      name: 'ada-publishes',
      expires_at: null,
      because: [{ by: 'user', name: null, path: [], text: 'names the user' }],
    },
    {
      grant: 'viewer',
      name: 'look',
      expires_at: null,
      because: [{ by: 'team', name: 'support', path, text: 'team tier-2 > support' }],
    },
  ])
})

test('a user holds tokens of bindings, personal tokens and sign-ins', async () => {
  const found = await reach('ada')
  assert.deepEqual(found.bindings, [
    { binding: 'nightly:ada', virtual_mcp: 'all-hands', active: true, tokens: 1 },
  ])
  assert.deepEqual(
    found.personal_tokens.map(({ name }: { name: string }) => name),
    ['export'],
  )
  assert.deepEqual(found.sign_ins, [
    { kind: 'password', count: 1 },
    { kind: 'session', count: 2 },
    { kind: 'application', count: 1 },
  ])
})

test('a user holds accounts at origins, of which no token is shown', async () => {
  const { connections } = await reach('ada')
  assert.deepEqual(connections, [
    {
      ...{ origin: 'tickets', kind: 'oauth', state: 'connected', active: true, account_label: 'ada@tickets' },
      ...{ scope: '', connected_at: '1970-01-01T00:00:00.000Z', token_expires_at: null },
    },
  ])
})

test('a user is acted for by agents that name the user or a team, and their tokens are not held by the user', async () => {
  await run('bindings.create', {
    ...{ name: 'People', host: 'nightly', virtual_mcp: 'all-hands' },
    acts_for: { users: ['ada', 'bob'], teams: ['support'] },
  })
  await run('bindings.issue_token', { id: 'nightly:people' })
  const found = await reach('ada')
  assert.deepEqual(
    found.agents.map(({ binding, because }: { binding: string; because: { by: string }[] }) => [
      binding,
      because.map(({ by }) => by),
    ]),
    [['nightly:people', ['user', 'team']]],
  )
  assert.equal(found.bindings.length, 1)
})

test('groups of the identity provider are a reason', async () => {
  const accounts = createAccounts(control.store.read, createClock(control.cell), control.invoke)
  await run('teams.create', { name: 'Staff', idp_groups: ['staff'] })
  await run('grants.create', { group: 'staff', name: 'On call', role: 'auditor' })
  await accounts.arrive({
    ...{ issuer: 'https://id.example', subject: 'sam', email: null, name: 'sam' },
    ...{ groups: ['staff'], grants: ['viewer'] },
  })
  const found = await reach('sam')
  assert.deepEqual(found.teams, [{ team: 'staff', role: 'member', group: 'staff', above: [] }])
  assert.deepEqual(
    found.grants.map(({ grant, because }: { grant: string; because: { text: string }[] }) => [
      grant,
      because[0]!.text,
    ]),
    [
      ['auditor', 'group staff'],
      ['viewer', 'mapped claim'],
    ],
  )
})

test('parts that the caller may not read are null, and a grant within a scope shows nothing', async () => {
  const found = await reach('ada', ['users:read', 'teams:read'])
  const shown = PARTS.filter(({ name }) => found[name] !== null).map(({ name }) => name)
  assert.deepEqual(shown.sort(), ['connections', 'personal_tokens', 'sign_ins', 'teams'])
  const scope = { types: [], verbs: [], collections: [], tags: ['mine'] }
  const scoped = run('users.reach', { id: 'ada' }, { grants: [{ role: 'admin', scope }] })
  await refused(scoped, 'permission_denied')
})

test('offboarding waits for the slug of the user, and a dry run ends nothing', async () => {
  await refused(offboard('bob', {}), 'confirmation_required')
  const before = await reach('bob')
  const { diff } = await offboard('bob', { confirm: 'bob', dryRun: true })
  assert.ok(diff!.length > 0)
  assert.deepEqual(await reach('bob'), before)
  assert.deepEqual(ended, [])
})

test('offboarding needs the right to each thing that it ends, and then ends nothing', async () => {
  const before = await reach('bob')
  for (const lacking of ['grants:delete', 'teams:update', 'bindings:update', 'profiles:update']) {
    const all = ['users:update', 'grants:delete', 'teams:update', 'bindings:update', 'profiles:update']
    const permissions = new Set(all.filter((one) => one !== lacking))
    const refusal = await refused(
      offboard('bob', { confirm: 'bob', grants: [{ role: { permissions } }] }),
      'permission_denied',
    )
    assert.match(refusal.message, new RegExp(lacking))
  }
  assert.deepEqual(await reach('bob'), before)
})

test('offboarding ends every part, and the answer and the trail say what', async () => {
  const { output } = await offboard('ada')
  assert.ok(operationOf('users.offboard').output.safeParse(output).success)
  const names = (output['ended'] as { part: string; name: string }[]).map(
    ({ part, name }) => `${part}/${name}`,
  )
  assert.match(
    names.find((name) => name.startsWith('personal_tokens/')) ?? '',
    /^personal_tokens\/export \(tok_/,
  )
  assert.deepEqual(
    names.filter((name) => !name.startsWith('personal_tokens/')),
    [
      'profiles/acme:ada-web',
      'teams/tier-2',
      'bindings/nightly:ada',
      'agents/nightly:people',
      'grants/ada-publishes',
      'connections/tickets',
      'sign_ins/password',
      'sign_ins/2 sessions',
      'sign_ins/1 application',
    ],
  )
  const found = await reach('ada')
  assert.equal(found.active, false)
  const left = PARTS.filter(({ name }) => found[name].length > 0).map(({ name }) => name)
  // Shared with all users; the binding is there without tokens
  assert.deepEqual(left, ['virtual_mcps', 'bindings'])
  assert.equal(found.bindings[0].tokens, 0)
  const shared = await run('bindings.get', { id: 'nightly:people' })
  assert.deepEqual((shared.output['acts_for'] as { users: string[] }).users, ['bob'])
  const [binding] = await control.store.read.bySlug('bindings', 'people')
  const [token] = await control.store.read.tokensOf([binding!.id])
  assert.equal(token!.revoked_at, null, 'the agent keeps its token for others')
  assert.deepEqual(ended, ['grant of ada', 'connection of ada'])
  const { items } = await control.store.read.auditEntries({ limit: 1 })
  assert.equal(items[0]?.operation, 'users.offboard')
  assert.match(
    items[0]?.detail ?? '',
    /^Offboarded\. Ended profiles\/acme:ada-web, teams\/tier-2, .*1 application\.$/,
  )
  assert.equal((await reach('bob')).sign_ins.length, 3, 'others keep theirs')
})

test('switching an offboarded user on gives nothing back', async () => {
  await run('users.toggle', { id: 'ada', active: true })
  const found = await reach('ada')
  assert.equal(found.active, true)
  for (const { name } of PARTS)
    if (name !== 'virtual_mcps' && name !== 'bindings') assert.deepEqual(found[name], [], name)
  assert.deepEqual(
    found.virtual_mcps.map(({ virtual_mcp }: { virtual_mcp: string }) => virtual_mcp),
    ['all-hands'],
  )
})

test('offboarding again ends what has come since, and of an inactive user too', async () => {
  const [again, twice] = [await offboard('ada'), await offboard('ada')]
  assert.deepEqual([again.output['ended'], twice.output['ended']], [[], []])
  await run('users.toggle', { id: 'bob', active: false })
  const { output } = await offboard('bob')
  const parts = (output['ended'] as { part: string }[]).map(({ part }) => part)
  // Those that the authorization server issued ended when the user was switched off
  assert.deepEqual(parts, [
    'profiles',
    'teams',
    'bindings',
    'agents',
    'grants',
    'personal_tokens',
    'sign_ins',
  ])
})

test('the last administrator is not offboarded', async () => {
  await control.store.write(async (writer) => {
    const [root] = await writer.bySlug('users', 'root')
    await writer.putPassword(root!.id, 'hash', 0)
  })
  const refusal = await refused(offboard('root'), 'configuration_invalid')
  assert.match(refusal.message, /the last administrator/)
})
