import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { refused, startControl } from '../../../test/control.ts'
import { requestOf, startApprovals } from '../../../test/support/approvals.ts'
import { TEST_DATABASE_URL } from '../../../test/support/test-database.ts'
import { createClock } from '../../base/clock.ts'
import { expireChangeRequests } from '../change-requests/change-requests.ts'

const DAY_MS = 86_400_000

const { control, past, rule, as, approve, entriesOf } = await startApprovals()
after(() => control.close())
beforeEach(() => rule('*:*'))

const skip = TEST_DATABASE_URL !== null && 'it copies the files of an instance'

test('requests outlive a restart, and end after seven days', { skip }, async () => {
  const kept = requestOf(await as('ada', 'clients.update', { id: 'acme', description: 'kept' }))
  const late = requestOf(await as('ada', 'clients.update', { id: 'acme', description: 'late' }))
  // One process at a time has a store: the next one gets a copy of the directory
  const copy = mkdtempSync(join(tmpdir(), 'postern-'))
  cpSync(control.directory, copy, { recursive: true })
  const again = await startControl({ directory: copy })
  const { id } = (await again.run('change_requests.get', { id: kept.id })).output
  assert.equal(id, kept.id)
  await again.close()
  rmSync(copy, { recursive: true })
  assert.equal((await approve('bob', kept.id)).output['state'], 'applied')
  control.move(7 * DAY_MS)
  assert.equal((await control.run('change_requests.get', { id: late.id })).output['state'], 'expired')
  await refused(approve('bob', late.id), 'already_decided')
  await expireChangeRequests(control.store, createClock(control.cell))
  const stored = await control.store.read.changeRequest(late.id)
  assert.deepEqual([stored?.state, stored?.sealed], ['expired', null])
  const expired = await entriesOf('change_requests.expire')
  assert.ok(expired.some(({ resource }) => resource.id === late.id))
  control.move(91 * DAY_MS)
  await expireChangeRequests(control.store, createClock(control.cell))
  assert.equal(await control.store.read.changeRequest(late.id), undefined)
})

test('rules that nobody could approve are warned of, and the data directory is the way out', async () => {
  await past([])
  const { output } = await rule('*:*')
  assert.equal(output['warnings'], undefined)
  await past([])
  for (const id of ['bob', 'cleo']) await control.run('users.update', { id, active: false })
  const alone = await rule('*:*')
  assert.match(JSON.stringify(alone.output['warnings']), /only the user \\"ada\\"/)
  requestOf(await as('ada', 'settings.update', { approvals: [] }))
  requestOf(await control.run('clients.update', { id: 'acme', description: 'local' }))
  await past([])
  const [entry] = await entriesOf('settings.update')
  assert.match(entry?.detail ?? '', /^Without the approval that Two of us requires/)
  for (const [permission, why] of [
    [
      'proxies:read',
      /"proxies:read" is not a permission for changes; use one of proxies:create, proxies:update,.* proxies:publish$/,
    ],
    ['nothing:at', /use one of collections:\*, proxies:\*/],
    ['proxies update', /a permission such as/],
  ] as const) {
    const approvals = [{ name: 'x', permissions: [permission] }]
    const { facts } = await refused(control.run('settings.update', { approvals }), 'input_invalid')
    assert.match(facts.errors![0]!.reason, why)
  }
  const empty = { name: 'x', permissions: ['proxies:update'], scope: { resource_types: ['clients'] } }
  await refused(control.run('settings.update', { approvals: [empty] }), 'configuration_invalid')
  const current = (await control.run('settings.get', {})).output['revision'] as number
  await refused(control.run('settings.update', {}, { expectedRevision: current + 1 }), 'revision_conflict')
})

test('approving an access request is an assignment: it waits, and assigns when somebody else approves it', async () => {
  await past([])
  for (const id of ['bob', 'cleo']) await control.run('users.toggle', { id, active: true })
  await control.run('collections.update', { id: 'orders', requestable: true })
  await control.run('clients.create', { name: 'Asks', slug: 'asks' })
  const { output } = await as('ada', 'access_requests.create', { client: 'asks', collections: ['orders'] })
  const id = output['id']
  await rule('clients:update')
  const now = async () => [
    (await control.run('access_requests.get', { id })).output['state'],
    (await control.run('clients.get', { id: 'asks' })).output['collections'],
  ]
  const request = requestOf(await as('bob', 'access_requests.approve', { id }))
  assert.deepEqual(await now(), ['open', []])
  assert.equal((await approve('cleo', request.id)).output['state'], 'applied')
  assert.deepEqual(await now(), ['applied', ['orders']])
  const [entry] = await entriesOf('access_requests.approve')
  assert.deepEqual([entry?.actor.name, entry?.approver?.name], ['bob', 'cleo'])
  assert.match(entry?.detail ?? '', /requested by ada/)
})
