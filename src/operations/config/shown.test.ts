import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Control, example, refused, startControl } from '../../../test/control.ts'
import type { Grant, Permission, Scope } from '../../access/principal.ts'

interface Doc {
  readonly kind: string
  readonly slug: string
  readonly spec: Record<string, unknown>
}

const documentsOf = async (control: Control, select: string[] = []): Promise<Doc[]> =>
  (await control.run('config.export', { select })).output['documents'] as Doc[]

const scoped = (types: Scope['types'], collections: readonly string[]): Grant => ({
  role: 'modifier',
  scope: { types, verbs: [], collections, tags: [] },
})

test('what was applied is no drift for those who may not see what it was applied to', async () => {
  const control = await startControl()
  await example(control)
  const documents = await documentsOf(control)
  await control.run('config.apply', { documents })
  await control.run('collections.update', { id: 'orders', description: 'changed by hand' })
  const { output: other } = await control.run('collections.create', {
    name: 'Other',
    base_path: '/other',
    upstream: { targets: [{ url: 'http://127.0.0.1:9001' }] },
  })
  const named = documents.filter(({ kind }) => kind === 'collection' || kind === 'proxy')
  const drift = async (grants?: readonly Grant[]) =>
    (await control.run('config.plan', { documents: named }, grants && { grants })).output['drift']
  assert.equal(((await drift()) as object[]).length, 1)
  const grants = [scoped([], [String(other['id'])]), scoped(['config'], [])]
  assert.deepEqual(await drift(grants), [])
  await control.close()
})

test('revisions show those resources that one may read', async () => {
  const control = await startControl()
  await example(control)
  await control.run('policies.update', { id: 'gold', name: 'Silver' })
  const grants = [
    { role: { name: 'pipelines', permissions: new Set<Permission>(['config:read', 'clients:read']) } },
  ]
  const revision = await control.store.read.revision()
  const { output: all } = await control.run('revisions.diff', { from: '1' }, { grants })
  const items = (all['items'] as { item: string }[]).map(({ item }) => item)
  assert.deepEqual(items, ['clients/acme'])
  const { output: one } = await control.run('revisions.get', { id: String(revision) }, { grants })
  assert.deepEqual(one['items'], [])
  await control.close()
})

test('a selection of many parts costs no more than its length', async () => {
  const control = await startControl()
  const spec = { name: 'Long', limits: [{ name: 'minute', kind: 'rate', max: 1, window: '1m' }] }
  await control.run('policies.create', { ...spec, slug: 'a'.repeat(60) })
  for (const [pattern, count] of [
    [`${'*a'.repeat(40)}b`, 0],
    [`${'*a'.repeat(40)}`, 1],
    ['aa*aa', 1],
    [`${'a'.repeat(31)}*${'a'.repeat(30)}`, 0],
    ['', 0],
    ['*', 1],
  ] as const)
    assert.equal((await documentsOf(control, [`policy/${pattern}`])).length, count, pattern)
  const many = Array.from({ length: 51 }, (_, at) => `policy/${at}*`)
  await refused(control.run('config.export', { select: many }), 'input_invalid')
  await control.close()
})

test('going back over many resources gives the thread away on the way', async () => {
  const control = await startControl()
  const limits = [{ name: 'minute', kind: 'rate', max: 1, window: '1m' }]
  const documents = (name: string): object[] =>
    Array.from({ length: 200 }, (_, at) => ({ kind: 'policy', slug: `p${at}`, spec: { name, limits } }))
  await control.run('config.apply', { documents: documents('a') })
  const id = String(await control.store.read.revision())
  await control.run('config.apply', { documents: documents('b') })
  let turns = 0
  let isDone = false
  const turn = (): void => {
    turns++
    if (!isDone) setImmediate(turn)
  }
  turn()
  await control.run('revisions.rollback', { id }, { confirm: id })
  isDone = true
  // Four for each of: what moved, links, what is put back, differences, entries
  assert.ok(turns >= 20, String(turns))
  await control.close()
})
