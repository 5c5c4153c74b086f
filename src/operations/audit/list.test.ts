import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, example, refused, startControl } from '../../../test/control.ts'
import type { AuditEntry } from '../../model/audit.ts'

const DAY_MS = 86_400_000

let control: Control
let all: readonly AuditEntry[]
const list = async (input: Record<string, unknown>): Promise<AuditEntry[]> => {
  const { output } = await control.run('audit.list', { limit: 200, ...input })
  return output['items'] as AuditEntry[]
}

before(async () => {
  control = await startControl()
  await example(control)
  control.move(5 * DAY_MS)
  const agent = { name: 'claude', version: '1', sessionId: null, conversationId: 'talk-1' }
  const mcp = { surface: 'management_mcp' as const, agent, ip: '192.0.2.7', requestId: 'req_mcp', http: null }
  await control.run(
    'proxies.update',
    { id: 'get-order', name: 'Get' },
    { via: mcp, reason: 'Ticket 12: 100%' },
  )
  await refused(control.run('policies.create', { name: 'No' }, { role: 'viewer' }), 'permission_denied')
  await refused(control.run('policies.create', { name: 'Gold', slug: 'gold' }), 'already_exists')
  await control.run('collections.create', { name: 'Gone', base_path: '/gone' })
  await control.run('collections.delete', { id: 'gone' }, { confirm: 'gone' })
  control.move(DAY_MS)
  await control.run(
    'policies.create',
    { name: 'Silver' },
    { via: { approver: { id: 'usr_1', type: 'user', name: 'Grace' } } },
  )
  all = await list({})
})
after(() => control.close())

/** Each filter, and what it means said again over the entries. */
const FILTERS: readonly (readonly [input: Record<string, unknown>, fits: (entry: AuditEntry) => boolean])[] =
  [
    [{ action: 'DELETE', resource_type: 'collections' }, (e) => e.action === 'DELETE'],
    [{ action: 'CHANGE' }, (e) => e.action !== 'READ'],
    [{ actor: 'viewer' }, (e) => e.actor.name === 'viewer'],
    [{ actor_type: 'user' }, (e) => e.actor.type === 'user'],
    [{ actor_type: 'service' }, () => false],
    [{ approver: 'usr_1' }, (e) => e.approver?.name === 'Grace'],
    [{ approver: 'Grace', action: 'CREATE' }, (e) => e.approver?.id === 'usr_1'],
    [{ auth_method: 'access_token' }, (e) => e.actor.auth_method === 'access_token'],
    [{ agent: 'claude' }, (e) => e.agent.name === 'claude'],
    [{ conversation_id: 'talk-1' }, (e) => e.agent.conversation_id === 'talk-1'],
    [{ surface: 'management_mcp' }, (e) => e.surface === 'management_mcp'],
    [{ operation: 'policies.create' }, (e) => e.operation === 'policies.create'],
    [{ outcome: 'denied' }, (e) => e.outcome === 'denied'],
    [{ error: 'already_exists' }, (e) => e.error === 'already_exists'],
    [{ status: 403 }, (e) => e.http?.status === 403],
    [{ status: '4xx' }, (e) => e.http?.status === 403 || e.http?.status === 409],
    [{ status: '201, 403' }, (e) => e.http?.status === 201 || e.http?.status === 403],
    [{ ip: '192.0.2.7' }, (e) => e.ip === '192.0.2.7'],
    [{ request_id: 'req_mcp' }, (e) => e.request_id === 'req_mcp'],
    [{ reason: 'ticket' }, (e) => e.reason !== null],
    [{ reason: '12: 100%' }, (e) => e.reason !== null],
    [{ reason: '1_' }, () => false],
    [{ resource: 'get-order' }, (e) => e.resource.slug === 'get-order'],
    [{ collection: 'gone' }, (e) => ['gone'].includes(e.resource.slug ?? '')],
    [{ collection: 'orders' }, (e) => e.resource.collection !== null && e.resource.slug !== 'gone'],
    [{ text: 'CLAUDE' }, (e) => e.agent.name === 'claude'],
    [{ from: '-2d' }, (e) => e.time >= all.find(({ surface }) => surface === 'management_mcp')!.time],
    [{ to: '-2d' }, (e) => e.time < all.find(({ surface }) => surface === 'management_mcp')!.time],
    [{ from: 'now' }, () => false],
    [
      { resource: 'get-order', action: 'CHANGE', from: '-7d', agent: 'claude' },
      (e) => e.agent.name === 'claude',
    ],
  ]

test('every filter gives the entries that it says, and no others', async () => {
  assert.ok(all.length > 10)
  for (const [input, fits] of FILTERS) {
    const found = (await list(input)).map(({ id }) => id)
    const wanted = all.filter(fits).map(({ id }) => id)
    assert.deepEqual(found, wanted, JSON.stringify(input))
  }
  const empty = FILTERS.filter(([, fits]) => !all.some(fits)).length
  assert.equal(empty, 3, 'all others find something')
})

test('a status that is none is refused', async () => {
  for (const status of ['600', '4x', '', '200,', 'ok'])
    await refused(control.run('audit.list', { status }), 'input_invalid')
})

test('what one apply has changed is found by its plan', async () => {
  const documents = ['one', 'two'].map((slug) => ({ kind: 'policy', slug, spec: { name: slug } }))
  const { output } = await control.run('config.apply', { documents, managed_by: 'test' })
  const found = await list({ plan_id: output['plan_id'], resource_type: 'policy' })
  assert.deepEqual(found.map(({ resource }) => resource.slug).sort(), ['one', 'two'])
})
