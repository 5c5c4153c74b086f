import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { refused, startControl } from '../../../test/control.ts'

const control = await startControl()
after(() => control.close())
const { run } = control

const ORIGIN = { name: 'Tools', url: 'https://mcp.example.com/mcp' }
const DESK = { name: 'Desk', members: [{ origin: 'tools' }], policy: 'gold' }
await run('policies.create', {
  name: 'Gold',
  limits: [
    { name: 'minute', kind: 'rate', max: 10, window: '1m' },
    { name: 'user', kind: 'rate', max: 10, window: '1m', key: 'user' },
  ],
})
await run('origins.create', { ...ORIGIN, policy: 'gold' })
await run('virtual_mcps.create', DESK)

function lastOf(kind: string, slug: string) {
  const all = control.published.flatMap(({ put }) => put.map(({ fragment }) => fragment))
  return all.findLast((one) => one.kind === kind && 'slug' in one && one.slug === slug) as
    | Readonly<Record<string, unknown>>
    | undefined
}

function listIn(fragment: Readonly<Record<string, unknown>> | undefined, member: string) {
  return (fragment?.[member] ?? []) as readonly Readonly<Record<string, unknown>>[]
}

test('a virtual MCP is served once it is published, with the members that are active', async () => {
  assert.equal(lastOf('virtual_mcp', 'desk'), undefined)
  await run('origins.create', { ...ORIGIN, name: 'Other' })
  await run('virtual_mcps.update', {
    id: 'desk',
    members: [{ origin: 'tools' }, { origin: 'other', active: false }],
  })
  await run('virtual_mcps.publish', { id: 'desk' })
  const { output } = await run('origins.get', { id: 'tools' })
  assert.deepEqual(
    listIn(lastOf('virtual_mcp', 'desk'), 'members').map((one) => one['origin']),
    [output['id']],
  )
  await run('virtual_mcps.publish', { id: 'desk', status: 'draft' })
  assert.deepEqual(
    control.published.at(-1)?.drop.map((key) => key.split(/[ :/]/)[0]),
    ['virtual_mcp'],
  )
  const members = [{ origin: 'tools' }, { origin: 'tools' }]
  await refused(run('virtual_mcps.update', { id: 'desk', members }), 'input_invalid')
})

test('a client is assigned virtual MCPs as it is assigned collections, and loses those that are deleted', async () => {
  await run('clients.create', { name: 'Acme', virtual_mcps: ['desk'] })
  await run('virtual_mcps.create', { ...DESK, name: 'Second' })
  await refused(run('clients.assign', { id: 'acme' }), 'input_invalid')
  const mcps = async (operation: string, input: object) =>
    (await run(operation, { id: 'acme', ...input })).output['virtual_mcps']
  assert.deepEqual(await mcps('clients.unassign', { virtual_mcps: ['desk'] }), [])
  assert.equal(lastOf('client', 'acme')?.['virtual_mcps'], undefined)
  assert.deepEqual(await mcps('clients.assign', { virtual_mcps: ['second', 'desk'] }), ['second', 'desk'])
  assert.equal(listIn(lastOf('client', 'acme'), 'virtual_mcps').length, 2)
  assert.deepEqual(await mcps('clients.assignments', { remove_virtual_mcps: ['desk'] }), ['second'])
  assert.deepEqual(await mcps('clients.assignments', { replace_virtual_mcps: ['desk', 'second'] }), [
    'desk',
    'second',
  ])
  const { output } = await run('virtual_mcps.delete', { id: 'second' }, { confirm: 'second' })
  assert.deepEqual(output['detached'], ['clients/acme', 'origins/tools', 'policies/gold'])
  assert.deepEqual((await run('clients.get', { id: 'acme' })).output['virtual_mcps'], ['desk'])
})

test('usage of a policy shows the counters of virtual MCPs and origins for each client that may call them', async () => {
  const { output } = await run('policies.usage', { id: 'gold', value: 'ada' })
  const items = output['items'] as Readonly<Record<string, unknown>>[]
  assert.deepEqual(
    items.map((one) => [one['limit'], one['attached_to'], one['client'], one['origin'], one['virtual_mcp']]),
    [
      ['minute', 'origin', 'acme', 'tools', null],
      ['user', 'origin', 'acme', 'tools', null],
      ['minute', 'virtual_mcp', 'acme', null, 'desk'],
      ['user', 'virtual_mcp', 'acme', null, 'desk'],
    ],
  )
  assert.deepEqual(new Set(items.map(({ state }) => state)), new Set(['ok']))
  await run('clients.create', { name: 'Other' })
  assert.deepEqual((await run('policies.usage', { id: 'gold', client: 'other' })).output['items'], [])
})

test('a rollback brings back virtual MCPs, origins and assignments', async () => {
  const revision = await control.store.read.revision()
  await run('virtual_mcps.delete', { id: 'desk' }, { confirm: 'desk' })
  await run('origins.delete', { id: 'tools' }, { confirm: 'tools' })
  await run('revisions.rollback', { id: String(revision) }, { confirm: String(revision) })
  assert.deepEqual((await run('clients.get', { id: 'acme' })).output['virtual_mcps'], ['desk'])
  const { members } = (await run('virtual_mcps.get', { id: 'desk' })).output
  assert.deepEqual(
    (members as { origin: string }[]).map(({ origin }) => origin),
    ['tools', 'other'],
  ) // Documents make clients before the virtual MCPs that are assigned to them
  const now = await control.store.read.revision()
  await run('virtual_mcps.delete', { id: 'desk' }, { confirm: 'desk' })
  await run('clients.delete', { id: 'acme' }, { confirm: 'acme' })
  await run('revisions.rollback', { id: String(now) }, { confirm: String(now) })
  assert.deepEqual((await run('clients.get', { id: 'acme' })).output['virtual_mcps'], ['desk'])
})
