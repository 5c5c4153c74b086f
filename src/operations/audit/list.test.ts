import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, example, refused, startControl } from '../../../test/control.ts'
import type { AuditEntry } from '../../model/access/audit.ts'

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
  const agent = { name: 'claude', version: '1.2', sessionId: 'mcp-1', conversationId: 'talk-1' }
  const mcp = {
    surface: 'management_mcp' as const,
    agent,
    ip: '192.0.2.7',
    requestId: 'req_mcp',
    http: null,
    userAgent: null,
  }
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
  all = await list({ bodies: true })
  assert.deepEqual(
    Object.keys(all[0]!).slice(0, 3),
    ['id', 'time', 'environment'],
    'in the order that is documented',
  )
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
    [{ agent_version: '1.2' }, (e) => e.agent.version === '1.2'],
    [{ session_id: 'mcp-1' }, (e) => e.agent.session_id === 'mcp-1'],
    [{ method: 'POST' }, (e) => e.http?.method === 'POST'],
    [{ path_contains: '/v1/TEST' }, (e) => e.http !== null],
    [{ user_agent: 'Test' }, (e) => e.user_agent === 'test/1'],
    [{ revision: 2 }, (e) => e.revision_before === 2 || e.revision_after === 2],
    [{ config_revision: 3 }, (e) => e.config_revision === 3],
    [{ diff: '"/Name"' }, (e) => e.diff.some(({ path }) => path === '/name')],
    [{ request: '"confirm":"GONE"' }, (e) => e.operation === 'collections.delete'],
    [{ response: '"deleted":true' }, (e) => e.operation === 'collections.delete'],
    [{ detail: 'policies:create' }, (e) => e.outcome === 'denied'],
    [{ text: '"confirm":"gone"' }, (e) => e.operation === 'collections.delete'],
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
    const listed = await list(input)
    assert.ok(listed.every((entry) => !('request' in entry) && !('response' in entry)))
    const found = listed.map(({ id }) => id)
    const wanted = all.filter(fits).map(({ id }) => id)
    assert.deepEqual(found, wanted, JSON.stringify(input))
  }
  const empty = FILTERS.filter(([, fits]) => !all.some(fits)).length
  assert.equal(empty, 3, 'all others find something')
})

type Body = Readonly<Record<string, unknown>>

test('an entry has what was asked and answered, also of what was refused, with the options of the write', async () => {
  const one = (fits: (entry: AuditEntry) => boolean) => all.find(fits)!
  const made = one((e) => e.operation === 'policies.create' && e.approver !== null)
  assert.deepEqual([(made.request as Body)['name'], (made.response as Body)['slug']], ['Silver', 'silver'])
  const gone = one((e) => e.operation === 'collections.delete')
  assert.deepEqual(gone.request, { id: 'gone', confirm: 'gone' })
  const denied = one((e) => e.outcome === 'denied')
  assert.equal((denied.request as Body)['name'], 'No')
  assert.equal((denied.response as Body)['code'], 'permission_denied')
  const failed = one((e) => e.error === 'already_exists')
  assert.equal((failed.request as Body)['slug'], 'gold')
  const { status, request_id } = failed.response as Body
  assert.deepEqual([status, request_id], [409, 'req_test'])
  const profile = one((e) => e.operation === 'profiles.create' && e.resource.slug === 'sandbox')
  assert.equal((profile.response as Body)['token'], '[secret]')
  assert.deepEqual((await control.run('audit.get', { id: gone.id })).output, gone)
})

test('input that is not understood is in no entry, and what was read is in none', async () => {
  const asked = { name: 'x', pasword: 'planted-4711' }
  await refused(control.run('policies.create', asked, { role: 'viewer' }), 'permission_denied')
  await refused(control.run('policies.create', asked), 'input_invalid')
  await refused(control.run('audit.verify', {}, { role: 'modifier' }), 'permission_denied')
  const id = `pst_pk_${'Ab1'.repeat(20)}`
  await refused(control.run('policies.get', { id }, { role: 'auditor' }), 'permission_denied')
  const [pasted, read, denied] = await list({ outcome: 'denied', bodies: true })
  assert.deepEqual([pasted?.resource.id, pasted?.request], ['[secret]', { id: '[secret]' }])
  assert.deepEqual([read?.request, denied?.request], [{}, null])
  assert.deepEqual(await list({ text: 'planted-4711' }), [])
})

test('who reads the trail of one collection is not shown what was asked, and finds nothing by it', async () => {
  const collection = (await control.run('collections.get', { id: 'orders' })).output['id']
  const scope = { types: [], verbs: [], collections: [String(collection)], tags: [] }
  const narrowed = { grants: [{ role: 'viewer' as const, scope }] }
  const found = async (input: object) =>
    (await control.run('audit.list', { bodies: true, ...input }, narrowed)).output['items'] as AuditEntry[]
  const entries = await found({})
  assert.ok(entries.length > 2 && all.some(({ id, request }) => id === entries[0]?.id && request !== null))
  assert.deepEqual(new Set(entries.map(({ request, response }) => request ?? response)), new Set([null]))
  assert.ok((await list({ request: 'get-order' })).length > 0)
  assert.deepEqual(await found({ request: 'get-order' }), [])
  assert.ok((await list({ text: '"created_by":' })).length > 0)
  assert.deepEqual(await found({ text: '"created_by":' }), [])
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
  // What was asked stands once, without what the documents say: the differences have that
  const bodies = await list({ plan_id: output['plan_id'], bodies: true })
  assert.deepEqual(
    bodies
      .filter(({ request }) => request !== null)
      .map(({ operation, resource }) => [operation, resource.type]),
    [['config.apply', 'config']],
  )
  const [{ request, response }] = bodies.filter(({ request }) => request !== null) as [AuditEntry]
  assert.deepEqual(
    (request as Body)['documents'],
    documents.map(({ kind, slug }) => ({ kind, slug })),
  )
  assert.equal((response as Body)['create'], 2)
})
