import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type ConfigStore, type StoredFragment, TOMBSTONES_MAX } from '../ports/config.ts'
import { openConfigStore } from './config.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-fragments-'))
let count = 0
const opened: ConfigStore[] = []
function open(): ConfigStore {
  const store = openConfigStore(join(directory, `${count++}.db`))
  opened.push(store)
  return store
}
after(async () => {
  for (const store of opened) await store.close()
  rmSync(directory, { recursive: true })
})

const fragment = (key: string, hash = `hash of ${key}`): StoredFragment => ({
  key,
  hash,
  form: 1,
  json: '{}',
})

/** Commits one revision. */
const commit = (store: ConfigStore, put: readonly StoredFragment[], drop: readonly string[] = []) =>
  store.write(async (writer) => writer.putFragments(await writer.nextRevision(), { put, drop }))

const since = async (store: ConfigStore, revision: number) => {
  const changes = await store.read.fragmentsSince(revision)
  return changes && [changes.revision, changes.put.map(({ key }) => key), changes.drop]
}

test('what changed since a revision is read once for each key, as it stands last', async () => {
  const store = open()
  await commit(store, [fragment('b'), fragment('a')])
  await commit(store, [fragment('c')])
  await commit(store, [fragment('a', 'another')], ['c', 'never there'])
  assert.deepEqual(await since(store, 0), [3, ['b', 'a'], ['c']])
  assert.deepEqual(await since(store, 1), [3, ['a'], ['c']])
  assert.deepEqual(await since(store, 3), [3, [], []])
  await commit(store, [fragment('c')])
  assert.deepEqual(await since(store, 3), [4, ['c'], []])
})

test('a fragment with the same hash keeps its revision, and a revision without fragments is told', async () => {
  const store = open()
  await commit(store, [fragment('a')])
  await commit(store, [fragment('a')])
  assert.deepEqual(await since(store, 1), [2, [], []])
})

test('a transaction that is rolled back leaves no fragments', async () => {
  const store = open()
  await commit(store, [fragment('a')])
  const work = store.write(async (writer) => {
    await writer.putFragments(await writer.nextRevision(), { put: [fragment('b')], drop: ['a'] })
    throw new Error('a fault')
  })
  await assert.rejects(work, /a fault/)
  assert.deepEqual(await since(store, 0), [1, ['a'], []])
})

test('tombstones are bounded, and a reader that missed one takes everything', async () => {
  const store = open()
  const keys = Array.from({ length: TOMBSTONES_MAX + 500 }, (_, index) => `k${index}`)
  await commit(
    store,
    keys.map((key) => fragment(key)),
  )
  const parts = [keys.slice(0, 400), keys.slice(400, 900), keys.slice(900, 1400)]
  for (const part of parts) await commit(store, [], part)
  assert.equal(await since(store, 1), null, 'those of revision 2 are gone')
  const [revision, put, drop] = (await since(store, 2))!
  assert.deepEqual([revision, put, (drop as string[]).length], [4, [], 1000])
  // One change may drop more than are kept: all of them can be read until the next
  await commit(
    store,
    keys.map((key) => fragment(key)),
  )
  await commit(store, [], keys)
  assert.equal(((await since(store, 5))![2] as string[]).length, keys.length)
  await commit(store, [fragment('one')])
  await commit(store, [], ['one'])
  assert.deepEqual(await since(store, 7), [8, [], ['one']])
  assert.equal(await since(store, 5), null, 'those beyond the bound went with the next drop')
})

test('all fragments are those of one compiler, until they are in doubt', async () => {
  const store = open()
  const read = (compiler: string) => store.read.fragments(compiler, '', 10)
  await commit(store, [fragment('gone'), fragment('a')])
  assert.equal(await read('one'), null)
  await store.write((writer) =>
    writer.replaceFragments(1, async (put) => {
      await put([fragment('b')])
      await put([fragment('a'), fragment('b')])
      return 'one'
    }),
  )
  assert.deepEqual(await read('one'), [fragment('a'), fragment('b')])
  assert.equal(await read('two'), null)
  assert.deepEqual(await since(store, 1), [1, [], []])
  assert.equal(await since(store, 0), null, 'what was replaced left no tombstones')
  await commit(store, [fragment('c')], ['a'])
  assert.deepEqual(await read('one'), [fragment('b'), fragment('c')])
  await store.write((writer) => writer.doubtFragments())
  assert.equal(await read('one'), null)
  await store.write((writer) => writer.replaceFragments(3, async () => null))
  assert.equal(await read('one'), null, 'what does not compile whole is of no compiler')
})

test('pages have all fragments once, in the order of their keys, without tombstones', async () => {
  const store = open()
  const keys = Array.from({ length: 25 }, (_, index) => `k${index}`)
  await store.write((writer) =>
    writer.replaceFragments(1, async (put) => {
      await put(keys.map((key) => fragment(key)))
      return 'one'
    }),
  )
  await commit(store, [], ['k3', 'k24'])
  const seen: string[] = []
  for (let after = ''; ; after = seen.at(-1)!) {
    const page = (await store.read.fragments('one', after, 7))!
    assert.ok(page.length <= 7)
    seen.push(...page.map(({ key }) => key))
    if (page.length < 7) break
  }
  assert.deepEqual(seen, keys.filter((key) => key !== 'k3' && key !== 'k24').sort())
})

test('fragments that another compiler has put since are not told as those of this one', async () => {
  const store = open()
  const replace = (compiler: string, ...all: readonly StoredFragment[]) =>
    store.write(async (writer) =>
      writer.replaceFragments(await writer.revision(), async (put) => {
        await put(all)
        return compiler
      }),
    )
  const put = (compiler: string, ...all: readonly StoredFragment[]) =>
    store.write(async (writer) =>
      writer.putFragments(await writer.nextRevision(), { put: all, drop: ['gone'] }, compiler),
    )
  const told = async (revision: number, compiler: string) => {
    const changes = await store.read.fragmentsSince(revision, compiler)
    return changes && [changes.put.map(({ key }) => key), changes.drop]
  }
  await replace('old', fragment('a'), fragment('b'))
  await put('old', fragment('a'), fragment('c'))
  assert.deepEqual([await told(0, 'old'), await told(0, 'new')], [[['c'], []], null])
  // Nothing has changed since
  assert.deepEqual(await told(1, 'new'), [[], []])
  await put('new', fragment('a'))
  // Also what the other had put alike, and what it never had: a process of this compiler holds other fragments
  assert.deepEqual(await told(1, 'new'), [['a'], ['gone']])
  assert.deepEqual([await told(1, 'old'), await told(2, 'old')], [null, [[], []]])
  await put('old', fragment('b'))
  assert.deepEqual(await told(2, 'old'), [['b'], ['gone']])
  assert.equal(await told(2, 'new'), null)
  assert.equal(await store.read.fragments('old', '', 9), null)
  // The start of either makes all of them its own, and counts no revision
  await replace('new', fragment('a'))
  await put('new', fragment('a'), fragment('b'))
  assert.deepEqual(await told(3, 'new'), [['b'], []])
  assert.equal(await told(3, 'old'), null)
})
