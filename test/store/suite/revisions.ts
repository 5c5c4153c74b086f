import assert from 'node:assert/strict'
import { test } from 'node:test'
import { REVISIONS_KEPT, type RevisionImage, type StoredRevision } from '../../../src/store/ports/config.ts'
import { type MakePlace, policy } from '../place.ts'

const revision = (number: number): StoredRevision => ({
  revision: number,
  time: '2026-01-01T00:00:00.000Z',
  actor: { id: 'a', type: 'user', name: 'Ann' },
  surface: 'rest',
  operation: 'policies.update',
  reason: null,
  request_id: `req_${number}`,
})

const image = (id: string, its: Partial<RevisionImage> = {}): RevisionImage => ({
  id,
  type: 'policies',
  slug: `slug-${id}`,
  parent: null,
  action: 'changed',
  before: policy(id, `slug-${id}`),
  ...its,
})

/** Revisions of the configuration. */
export function revisionsSuite(name: string, make: MakePlace): void {
  test(`${name}: revisions are listed newest first, with how many resources each touched`, async () => {
    const store = await (await make()).open()
    await store.write(async (writer) => {
      await writer.putRevision(revision(1), [image('b'), image('a', { type: 'clients' }), image('c')])
      await writer.putRevision(revision(2), [])
      await writer.putRevision(revision(3), [image('a', { action: 'created', before: null })])
    })
    const { read } = store
    assert.deepEqual(await read.revisions(2), [
      { ...revision(3), items: 1 },
      { ...revision(2), items: 0 },
    ])
    assert.deepEqual(await read.revisions(9, 2), [{ ...revision(1), items: 3 }])
    assert.deepEqual(await read.revisionAt(2), revision(2))
    assert.equal(await read.revisionAt(4), undefined)
    assert.deepEqual(
      (await read.revisionItems(1, 2)).map(({ id, type, action }) => [id, type, action]),
      [
        ['a', 'clients', 'changed'],
        ['b', 'policies', 'changed'],
      ],
    )
    await store.close()
  })

  test(`${name}: the first item of several revisions is read with one question`, async () => {
    const store = await (await make()).open()
    await store.write(async (writer) => {
      await writer.putRevision(revision(1), [
        image('c', { slug: 'same' }),
        image('b', { slug: 'same' }),
        image('a', { type: 'proxies', parent: 'col_1', action: 'removed' }),
      ])
      await writer.putRevision(revision(2), [])
      await writer.putRevision(revision(3), [image('a')])
      await writer.putRevision(revision(4), [image('z'), image('d', { type: 'clients' })])
    })
    const { read } = store
    const firsts = await read.firstItems([4, 2, 1, 9])
    assert.deepEqual([...firsts.keys()].sort(), [1, 4])
    assert.deepEqual(firsts.get(4), {
      id: 'd',
      type: 'clients',
      slug: 'slug-d',
      parent: null,
      action: 'changed',
    })
    for (const [number, first] of firsts)
      assert.deepEqual([first], await read.revisionItems(number, 1), String(number))
    assert.equal(firsts.get(1)?.id, 'b')
    assert.equal((await read.firstItems([])).size, 0)
    await store.close()
  })

  test(`${name}: what has changed since a revision is told as it was then`, async () => {
    const store = await (await make()).open()
    const first = policy('a', 'first')
    await store.write(async (writer) => {
      await writer.putRevision(revision(1), [image('a', { action: 'created', before: null })])
      await writer.putRevision(revision(2), [
        image('a', { before: first }),
        image('s', { action: 'secrets' }),
      ])
      await writer.putRevision(revision(3), [image('a'), image('b', { action: 'removed' })])
    })
    const since = async (from: number, upTo?: number) =>
      (await store.read.changedSince(from, upTo)).map(({ id, before }) => [id, before?.slug ?? null])
    assert.deepEqual(await since(0), [
      ['a', null],
      ['b', 'slug-b'],
    ])
    assert.deepEqual(await since(1), [
      ['a', 'first'],
      ['b', 'slug-b'],
    ])
    assert.deepEqual(await since(1, 2), [['a', 'first']])
    assert.deepEqual(await since(3), [])
    await store.close()
  })

  test(`${name}: the newest revisions are kept, and a large one is written whole`, async () => {
    const store = await (await make()).open()
    assert.equal(await store.read.oldestRevision(), undefined)
    const many = Array.from({ length: 2500 }, (_, n) => image(`pol_${n}`))
    await store.write(async (writer) => {
      await writer.putRevision(revision(1), many)
      await writer.putRevision(revision(2), [image('a')])
    })
    assert.equal((await store.read.changedSince(0)).length, 2501)
    await store.write((writer) => writer.putRevision(revision(REVISIONS_KEPT + 1), []))
    assert.equal(await store.read.oldestRevision(), 2)
    assert.equal((await store.read.changedSince(0)).length, 1)
    await store.close()
  })
}
