import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, refused, startControl } from '../../../test/control.ts'
import { createClock } from '../../base/clock.ts'
import { hashToken } from '../../base/crypto/token.ts'
import { createAccounts } from './accounts.ts'

/** May change users and nothing else. */
const PEOPLE = [{ role: { permissions: new Set(['users:read', 'users:update']) } }]

let control: Control
before(async () => {
  control = await startControl()
  await control.run('users.create', { name: 'Grace', slug: 'grace', email: 'grace@example.com' })
})
after(() => control.close())

const linkOf = (output: Record<string, unknown>) => {
  const token = new URL(String(output['set_up_url'])).searchParams.get('token')!
  return control.store.read.setUpLink(hashToken(token))
}

test('an invitation is kept as a hash, for a day, and ends the one before', async () => {
  const first = await control.run('users.invite', { id: 'grace' })
  const link = await linkOf(first.output)
  assert.equal(link?.purpose, 'invite')
  assert.equal(new Date(link.expires_at).toISOString(), first.output['expires_at'])
  const left = link.expires_at - createClock(control.cell).now()
  assert.ok(left > 24 * 3_600_000 - 60_000 && left <= 24 * 3_600_000, `${left} ms`)
  const next = await control.run('users.invite', { id: 'grace' })
  assert.equal(await linkOf(first.output), undefined)
  assert.ok((await linkOf(next.output)) !== undefined)
})

test('a dry run makes no link, and a repeated call does not show it again', async () => {
  const kept = await control.run('users.invite', { id: 'grace' })
  const dry = await control.run('users.invite', { id: 'grace' }, { dryRun: true })
  assert.equal(dry.output['set_up_url'], undefined)
  assert.ok((await linkOf(kept.output)) !== undefined, 'the one that there was stays')
  await control.run('users.invite', { id: 'grace' }, { idempotencyKey: 'once' })
  await refused(
    control.run('users.invite', { id: 'grace' }, { idempotencyKey: 'once' }),
    'secret_already_shown',
  )
})

test('nobody invites a user who may do what they may not', async () => {
  assert.ok((await control.run('users.invite', { id: 'grace' }, { grants: PEOPLE })).output['set_up_url'])
  await control.run('grants.create', { user: 'grace', name: 'Everything', role: 'admin' })
  const denied = await refused(
    control.run('users.invite', { id: 'grace' }, { grants: PEOPLE }),
    'permission_denied',
  )
  assert.match(denied.message, /you lack the permission/)
  await refused(control.run('users.invite', { id: 'grace' }, { role: 'modifier' }), 'permission_denied')
})

test('who signs in elsewhere, or not at all, is not invited', async () => {
  await control.run('users.toggle', { id: 'grace', active: false })
  await refused(control.run('users.invite', { id: 'grace' }), 'configuration_invalid')
  const accounts = createAccounts(control.store.read, createClock(control.cell), control.invoke)
  const arrival = { issuer: 'https://id.example', subject: 'bob', name: 'Bob', groups: [], grants: [] }
  const { id } = await accounts.arrive(arrival)
  const refusal = await refused(control.run('users.invite', { id }), 'configuration_invalid')
  assert.match(refusal.message, /they sign in at their identity provider/)
  const elsewhere = await startControl({ deps: { localSignIn: null } })
  try {
    await elsewhere.run('users.create', { name: 'Ada' })
    await refused(elsewhere.run('users.invite', { id: 'ada' }), 'configuration_invalid')
  } finally {
    await elsewhere.close()
  }
})
