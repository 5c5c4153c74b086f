import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, example, operationOf, refused, startControl, VIA } from '../../../test/control.ts'
import type { Accounts } from '../../access/accounts.ts'
import { createPersonalTokens, type PersonalTokens } from '../../access/authenticate.ts'
import type { Grant, Permission, Principal } from '../../access/principal.ts'
import { permits } from '../../access/roles.ts'
import { ceilingOf } from '../../access/scopes.ts'
import { createClock } from '../../base/clock.ts'
import { createAccounts } from '../access/accounts.ts'
import type { Invoked } from '../engine/call.ts'
import type { WriteOptions } from '../engine/write-options.ts'

const DAY_MS = 86_400_000

let control: Control
let accounts: Accounts
let tokens: PersonalTokens
let orders = ''
const ids: Record<string, string> = {}
before(async () => {
  control = await startControl()
  await example(control)
  orders = String((await control.run('collections.get', { id: 'orders' })).output['id'])
  const clock = createClock(control.cell)
  accounts = createAccounts(control.store.read, clock, control.invoke)
  tokens = createPersonalTokens(control.store, clock, accounts)
  for (const slug of ['ada', 'bob'])
    ids[slug] = String((await control.run('users.create', { name: slug })).output['id'])
  await control.run('roles.create', { name: 'Publisher', permissions: ['proxies:read', 'proxies:publish'] })
  for (const role of ['modifier', 'publisher'])
    await control.run('grants.create', { name: role, user: 'ada', role, scope: { collections: ['orders'] } })
})
after(() => control.close())

async function as(slug: string, ceiling: readonly Grant[] | null = null): Promise<Principal> {
  return accounts.principalOf(ids[slug]!, { authMethod: 'oauth', expiresAt: null, ceiling })
}

function run(
  principal: Principal,
  name: string,
  input: object,
  options: WriteOptions = {},
): Promise<Invoked> {
  return control.invoke(operationOf(name), input, options, principal, VIA)
}

async function make(input: object, principal?: Principal): Promise<{ id: string; token: string }> {
  const { output } = await run(principal ?? (await as('ada')), 'personal_tokens.create', {
    name: 'T',
    ...input,
  })
  return { id: String(output['id']), token: String(output['token']) }
}

const may = (principal: Principal, permission: Permission, collection = orders): boolean =>
  permits(principal, permission, { collection, tags: [] })

test('a personal token may do what its owner may do now, as far as its grants allow it', async () => {
  const { token } = await make({ grants: ['modifier:proxies@orders'] })
  assert.match(token, /^pst_pt_/)
  const principal = await tokens.verify(token)
  assert.deepEqual(
    [principal.id, principal.type, principal.name, principal.authMethod],
    [ids['ada'], 'user', 'ada', 'personal_token'],
  )
  assert.equal(may(principal, 'proxies:update'), true)
  assert.equal(may(principal, 'collections:update'), false)
  assert.equal(may(principal, 'proxies:update', 'col_other'), false)
  const whole = await tokens.verify((await make({})).token)
  assert.equal(may(whole, 'proxies:publish'), true)
  await control.run('grants.update', { id: 'ada:modifier', role: 'viewer' })
  assert.equal(may(await tokens.verify(token), 'proxies:update'), false)
  assert.equal(may(await tokens.verify(token), 'proxies:read'), true)
  await control.run('grants.update', { id: 'ada:modifier', role: 'modifier' })
})

test('who has a role of your own may name it, and what they lack of it is not given', async () => {
  const { id, token } = await make({ grants: ['publisher:proxies@orders'] })
  const principal = await tokens.verify(token)
  assert.deepEqual(
    (['proxies:publish', 'proxies:read', 'proxies:update'] as const).map((one) => may(principal, one)),
    [true, true, false],
  )
  const { output } = await run(await as('ada'), 'personal_tokens.get', { id })
  assert.deepEqual(output['grants'], ['publisher:proxies@orders'])
  await refused(make({ grants: ['publisher'] }), 'permission_denied')
  await control.run('roles.create', { name: 'Keeper', permissions: ['keys:rotate'] })
  await refused(make({ grants: ['keeper@orders'] }), 'input_invalid')
})

test('no more than its owner may do is given to it, and none makes others', async () => {
  for (const grants of [
    ['admin'],
    ['modifier'],
    ['modifier:proxies'],
    ['viewer'],
    ['auditor@orders', 'admin@orders'],
  ])
    await refused(make({ grants }), 'permission_denied')
  await refused(make({ grants: ['owner'] }), 'input_invalid')
  await refused(make({ grants: ['viewer@elsewhere'] }), 'input_invalid')
  for (const days of [0, 91, 1.5]) await refused(make({ days }), 'input_invalid')
  const { token } = await make({})
  await refused(make({}, await tokens.verify(token)), 'permission_denied')
  await refused(make({}, await as('ada', [{ role: 'viewer' }])), 'permission_denied')
  await refused(control.run('personal_tokens.create', { name: 'T' }), 'permission_denied')
})

test('what was given less makes none and ends none, though it may be all that its user may do now', async () => {
  const { id, token } = await make({}, await as('bob'))
  const proof = { authMethod: 'oauth', expiresAt: null }
  const narrow = async (scopes: string): Promise<Principal> => ({
    ...(await accounts.principalOf(ids['bob']!, { ...proof, ceiling: ceilingOf(scopes) })),
    scopes,
  })
  for (const scopes of ['management:read', 'management:read management:write']) {
    const made = await refused(make({}, await narrow(scopes)), 'insufficient_scope')
    assert.equal(made.facts.members?.['scope'], `${scopes} management:admin`)
    await refused(run(await narrow(scopes), 'personal_tokens.revoke', { id }), 'insufficient_scope')
  }
  const part = await make({ grants: ['viewer:proxies@orders'] })
  const other = await make({})
  await refused(
    run(await tokens.verify(part.token), 'personal_tokens.revoke', { id: other.id }),
    'permission_denied',
  )
  await tokens.verify(token)
  await run(await narrow('management:admin'), 'personal_tokens.revoke', { id })
  await refused(tokens.verify(token), 'credential_invalid')
  for (const made of [part, other]) await run(await as('ada'), 'personal_tokens.revoke', { id: made.id })
})

test('it ends when it says, with its owner, and when it is revoked', async () => {
  const proves = async (token: string, code?: 'credential_invalid' | 'credential_expired') =>
    code === undefined ? tokens.verify(token) : refused(tokens.verify(token), code)
  const [short, other] = [await make({ days: 1 }), await make({})]
  await control.run('users.toggle', { id: 'ada', active: false })
  await proves(short.token, 'credential_invalid')
  await control.run('users.toggle', { id: 'ada', active: true })
  await proves(short.token)
  await run(await as('ada'), 'personal_tokens.revoke', { id: other.id })
  await proves(other.token, 'credential_invalid')
  await refused(run(await as('ada'), 'personal_tokens.revoke', { id: other.id }), 'not_found')
  control.move(DAY_MS)
  await proves(short.token, 'credential_expired')
  for (const wrong of [
    '',
    'pst_pt_x',
    short.token.replace('pst_pt', 'pst_at'),
    `${short.token.slice(0, -1)}_`,
  ])
    await proves(wrong, 'credential_invalid')
})

test('everybody has their own in view, and the tokens of others whoever administers users', async () => {
  const bob = await make({ grants: [] }, await as('bob'))
  const list = async (principal: Principal, input: object = {}) =>
    (await run(principal, 'personal_tokens.list', input)).output['items'] as { id: string; user: string }[]
  assert.deepEqual(
    (await list(await as('bob'))).map(({ id, user }) => [id, user]),
    [[bob.id, 'bob']],
  )
  assert.deepEqual(await list(await as('bob'), { user: 'bob' }), await list(await as('bob')))
  const first = (await list(await as('ada'), { limit: 1 }))[0]!
  const { output } = await run(await as('ada'), 'personal_tokens.get', { id: first.id })
  assert.deepEqual([output['grants'], output['user']], [['modifier:proxies@orders'], 'ada'])
  assert.ok(!('token' in output) && !('hash' in output))
  for (const name of ['personal_tokens.get', 'personal_tokens.revoke'])
    await refused(run(await as('ada'), name, { id: bob.id }), 'not_found')
  await refused(list(await as('ada'), { user: 'bob' }), 'permission_denied')
  await refused(control.run('personal_tokens.list', {}, { role: 'viewer' }), 'permission_denied')
  assert.equal((await control.run('personal_tokens.list', { user: 'bob' })).output['next_cursor'], null)
  await control.run('personal_tokens.revoke', { id: bob.id })
  await refused(tokens.verify(bob.token), 'credential_invalid')
})

test('a token is shown once, is no change of the configuration, and its trail holds no secret', async () => {
  const before = await control.store.read.revision()
  const key = { idempotencyKey: 'once' }
  const input = { name: 'Deploy', grants: ['viewer:proxies@orders'] }
  const ada = await as('ada')
  const { output } = await run(ada, 'personal_tokens.create', input, key)
  await refused(run(ada, 'personal_tokens.create', input, key), 'secret_already_shown')
  const dry = await run(ada, 'personal_tokens.create', input, { dryRun: true })
  assert.equal(dry.output['token'], undefined)
  const { items } = await control.store.read.auditEntries({ limit: 10, operation: 'personal_tokens.create' })
  const made = items.find(({ outcome, resource }) => outcome === 'ok' && resource.id === output['id'])
  assert.deepEqual(
    made?.diff.map(({ path, value }) => [path, value]).filter(([path]) => path !== '/expires_at'),
    [
      ['/token', 'changed'],
      ['/name', 'Deploy'],
      ['/grants', ['viewer:proxies@orders']],
    ],
  )
  assert.ok(!JSON.stringify(items).includes(String(output['token']).slice(20, 60)))
  assert.equal(await control.store.read.revision(), before)
})

test('when it was used last is known to the minute, for one write in that', async () => {
  const { id, token } = await make({})
  const seen = async () => (await run(await as('ada'), 'personal_tokens.get', { id })).output['last_used_at']
  assert.equal(await seen(), null)
  const use = async () => {
    await tokens.verify(token)
    await tokens.flush()
    return String(await seen())
  }
  const first = await use()
  assert.equal(await use(), first)
  control.move(61_000)
  assert.notEqual(await use(), first)
})

test('whoami names the environment, and tells whether it is production', async () => {
  for (const [environment, production] of [
    ['production', true],
    ['PROD', true],
    ['preprod', false],
    ['staging', false],
  ] as const) {
    const other = await startControl({
      deps: {
        instance: {
          version: '2.0.0',
          environment,
          gatewayUrl: 'http://gateway.test',
          managementUrl: 'http://control.test',
        },
      },
    })
    const { instance } = (await other.run('whoami.show', {})).output
    assert.deepEqual(instance, {
      version: '2.0.0',
      environment,
      production,
      gateway_url: 'http://gateway.test',
      config_revision: 0,
    })
    await other.close()
  }
})

test('whoami tells anybody who they are and all that they may do', async () => {
  await control.run('teams.create', { name: 'Top' })
  await control.run('teams.create', { name: 'Core', parent: 'top', members: [{ user: 'ada' }] })
  const { output } = await run(await as('ada', [{ role: 'viewer' }]), 'whoami.show', {})
  assert.ok(operationOf('whoami.show').output.safeParse(output).success)
  const { grants, narrowed_from, teams, ...rest } = output as Record<string, { grant: string }[]>
  assert.deepEqual(rest, {
    id: ids['ada'],
    type: 'user',
    name: 'ada',
    email: null,
    auth_method: 'oauth',
    expires_at: null,
    issuer: null,
    groups: [],
    instance: {
      version: '1.2.3',
      environment: null,
      production: false,
      gateway_url: 'http://gateway.test',
      config_revision: await control.store.read.revision(),
    },
  })
  assert.deepEqual(teams, ['core', 'top'])
  assert.deepEqual(
    narrowed_from?.map(({ grant }) => grant),
    ['modifier@orders', 'publisher@orders'],
  )
  assert.deepEqual(grants?.[1], {
    grant: 'permissions@orders',
    role: null,
    permissions: ['proxies:read'],
    scope: { resource_types: [], verbs: [], collections: ['orders'], virtual_mcps: [], tags: [] },
  })
  const nobody = { ...(await as('bob')), id: 'tok_x', grants: [] }
  assert.deepEqual((await run(nobody, 'whoami.show', {})).output['grants'], [])
  const glass = (await control.run('whoami.show', {})).output
  assert.deepEqual(
    (glass['grants'] as { grant: string }[]).map(({ grant }) => grant),
    ['admin'],
  )
})
