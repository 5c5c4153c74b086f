import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, example, refused, startControl } from '../../../test/control.ts'

let control: Control
before(async () => {
  control = await startControl()
  await example(control)
  for (const slug of ['one', 'two'])
    await control.run('collections.create', { name: slug, base_path: `/${slug}` })
})
after(() => control.close())

const of = ({ output }: { output: Record<string, unknown> }) => output['collections']

test('assignments are added, taken away and replaced', async () => {
  assert.deepEqual(of(await control.run('clients.assign', { id: 'acme', collections: ['one', 'orders'] })), [
    'orders',
    'one',
  ])
  assert.deepEqual(of(await control.run('clients.unassign', { id: 'acme', collections: ['orders'] })), [
    'one',
  ])
  assert.deepEqual(
    of(await control.run('clients.assignments', { id: 'acme', add: ['two'], remove: ['one'] })),
    ['two'],
  )
  const input = { id: 'acme', replace: ['orders', 'one'] }
  const set = await control.run('clients.assignments', input, { expectedRevision: 4 })
  assert.deepEqual([of(set), set.revision], [['orders', 'one'], 5])
  const same = await control.run('clients.assignments', input)
  assert.deepEqual([same.revision, same.configRevision], [5, null])
  const [entry] = (await control.store.read.auditEntries({ limit: 1, operation: 'clients.unassign' })).items
  assert.deepEqual([entry?.resource.slug, entry?.diff[0]?.path], ['acme', '/collections/0'])
})

test('what is not there, a passed revision, and who may not are refused', async () => {
  const input = { id: 'acme', collections: ['nope'] }
  await refused(control.run('clients.assign', input), 'not_found')
  await refused(control.run('clients.unassign', input), 'not_found')
  await refused(control.run('clients.assign', { id: 'nobody', collections: ['one'] }), 'not_found')
  await refused(
    control.run('clients.assign', { id: 'acme', collections: ['two'] }, { expectedRevision: 1 }),
    'revision_conflict',
  )
  await refused(
    control.run('clients.assign', { id: 'acme', collections: ['two'] }, { role: 'viewer' }),
    'permission_denied',
  )
  const scope = { types: [], verbs: [], collections: [], tags: ['else'] }
  await refused(
    control.run(
      'clients.assign',
      { id: 'acme', collections: ['two'] },
      { grants: [{ role: 'admin', scope }] },
    ),
    'not_found',
  )
  const dry = await control.run('clients.assign', { id: 'acme', collections: ['two'] }, { dryRun: true })
  assert.equal(dry.diff?.[0]?.path, '/collections/2')
  assert.deepEqual(of(await control.run('clients.get', { id: 'acme' })), ['orders', 'one'])
})
