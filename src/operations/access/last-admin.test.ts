import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { afterEach, beforeEach, test } from 'node:test'
import { type Control, refused, startControl } from '../../../test/control.ts'
import { createClock } from '../../base/clock.ts'
import { createAccounts } from './accounts.ts'

let control: Control
beforeEach(async () => {
  control = await startControl()
  await person('Ada')
  await run('service_identities.create', { name: 'CI' })
})
afterEach(() => control.close())

const run = (name: string, input: object, options = {}) => control.run(name, input, options)

/** A local user with a password. */
async function person(name: string): Promise<void> {
  const { output } = await run('users.create', { name })
  await control.store.write((writer) => writer.putPassword(String(output['id']), 'hash', Date.now()))
}

async function stays(name: string, input: object, options = {}): Promise<void> {
  const refusal = await refused(run(name, input, options), 'configuration_invalid')
  assert.match(refusal.message, /the last administrator of everything/)
}

const later = (): string => new Date(Date.now() + 3_600_000).toISOString()

test('no write takes the last administrator away', async () => {
  // None is there yet, so none is missed
  await run('users.toggle', { id: 'ada', active: false })
  await run('users.toggle', { id: 'ada', active: true })
  await run('grants.create', { name: 'All', user: 'ada', role: 'admin' })
  await stays('users.toggle', { id: 'ada', active: false })
  await stays('users.update', { id: 'ada', active: false })
  await stays('users.delete', { id: 'ada' }, { confirm: 'ada' })
  await stays('grants.delete', { id: 'ada:all' }, { confirm: 'all' })
  await stays('grants.update', { id: 'ada:all', role: 'modifier' })
  await stays('grants.update', { id: 'ada:all', scope: { resource_types: ['proxies'] } })
  await stays('grants.update', { id: 'ada:all', expires_at: later() })
  await run('users.update', { id: 'ada', name: 'Ada Lovelace' })
  // Narrowed or ending ones are no replacement
  await run('grants.create', { name: 'Some', service_identity: 'ci', role: 'admin', scope: { tags: ['x'] } })
  await run('grants.create', { name: 'Soon', service_identity: 'ci', role: 'admin', expires_at: later() })
  await stays('users.delete', { id: 'ada' }, { confirm: 'ada' })
  // Nor is who cannot sign in
  await run('users.create', { name: 'Guest' })
  await run('grants.create', { name: 'All', user: 'guest', role: 'admin' })
  await stays('users.delete', { id: 'ada' }, { confirm: 'ada' })
  await run('grants.create', { name: 'All', service_identity: 'ci', role: 'admin' })
  await stays('users.delete', { id: 'ada' }, { confirm: 'ada' })
  await run('service_identities.issue_secret', { id: 'ci' })
  await run('users.delete', { id: 'ada' }, { confirm: 'ada' })
  await stays('service_identities.toggle', { id: 'ci', active: false })
  await stays('service_identities.delete', { id: 'ci' }, { confirm: 'ci' })
})

test('a service identity administers as long as it has something by which it comes in', async () => {
  await run('grants.create', { name: 'All', service_identity: 'ci', role: 'admin' })
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = { ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256' }
  await run('service_identities.update', { id: 'ci', keys: [key] })
  await stays('service_identities.update', { id: 'ci', keys: [{ ...key, retires_at: later() }] })
  await stays('service_identities.update', { id: 'ci', keys: [] })
  await run('trust_rules.create', {
    service_identity: 'ci',
    name: 'Main',
    issuer: 'https://issuer.example',
    audience: 'gateway',
    conditions: [{ claim: 'sub', equals: 'main' }],
  })
  await run('service_identities.update', { id: 'ci', keys: [] })
  await stays('trust_rules.delete', { id: 'ci:main' }, { confirm: 'main' })
})

test('nor does a set of documents, or a way back to before', async () => {
  await run('service_identities.issue_secret', { id: 'ci' })
  const before = await control.store.read.revision()
  await run('grants.create', { name: 'All', service_identity: 'ci', role: 'admin' })
  const { documents } = (await run('config.export', {})).output as {
    documents: { kind: string; slug: string }[]
  }
  const apply = (kept: readonly object[]) => ({ documents: kept, prune: true, allow_deletes: 9 })
  await run('config.apply', apply(documents))
  await stays('config.apply', apply(documents.filter(({ kind }) => kind !== 'grant')))
  const [grant] = documents.filter(({ kind }) => kind === 'grant')
  const { spec } = grant as unknown as { spec: object }
  await stays(
    'config.apply',
    apply([...documents.filter((one) => one !== grant), { ...grant, spec: { ...spec, role: 'viewer' } }]),
  )
  await run('revisions.rollback', { id: String(before) }, { confirm: String(before) })
  assert.equal((await run('grants.get', { id: 'ci:all' })).output['role'], 'admin')
})

test('an administrator by a team is one as long as the team has active members', async () => {
  await run('teams.create', { name: 'Ops' })
  await run('teams.create', { name: 'Night', parent: 'ops', members: [{ user: 'ada' }] })
  await run('grants.create', { name: 'All', team: 'ops', role: 'admin' })
  await stays('teams.update', { id: 'night', members: [] })
  await stays('teams.update', { id: 'night', parent: null })
  await stays('teams.delete', { id: 'night' }, { confirm: 'night' })
  await stays('users.toggle', { id: 'ada', active: false })
  await person('Bob')
  await run('teams.update', { id: 'ops', members: [{ user: 'bob' }] })
  await run('teams.delete', { id: 'night' }, { confirm: 'night' })
  await stays('teams.delete', { id: 'ops' }, { confirm: 'ops' })
})

test('the last one that ends is not taken away before, and none is missed after', async () => {
  await run('grants.create', { name: 'Soon', user: 'ada', role: 'admin', expires_at: later() })
  await stays('users.delete', { id: 'ada' }, { confirm: 'ada' })
  control.move(7_200_000)
  await run('users.delete', { id: 'ada' }, { confirm: 'ada' })
})

test('whom the identity provider calls an administrator is one until it no longer does', async () => {
  const accounts = createAccounts(control.store.read, createClock(control.cell), control.invoke)
  const eve = { issuer: 'https://id.example.com', subject: 'e', email: null, name: 'Eve' }
  await accounts.arrive({ ...eve, groups: ['admins'], grants: [] })
  await run('grants.create', { name: 'All', group: 'admins', role: 'admin' })
  await stays('users.toggle', { id: 'eve', active: false })
  await accounts.arrive({ ...eve, groups: [], grants: ['admin'] })
  await run('grants.delete', { id: 'all' }, { confirm: 'all' })
  await stays('users.delete', { id: 'eve' }, { confirm: 'eve' })
  // Nobody is kept from signing in by it
  await accounts.arrive({ ...eve, groups: [], grants: [] })
  await run('users.delete', { id: 'eve' }, { confirm: 'eve' })
})
