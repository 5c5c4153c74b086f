import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { asTexts, delta as deltaOf, packed, policy, rate, unpacked } from '../../../test/gateway/fragments.ts'
import type { PolicyFragment } from '../../snapshot/fragments.ts'
import {
  digestOf,
  keyOf,
  type PackedSnapshot,
  type SnapshotDelta,
  type TextDelta,
} from '../../snapshot/packed-fragments.ts'
import type { LastGoodStore } from '../../store/ports/places.ts'
import { openLastGood } from '../../store/sqlite/last-good.ts'
import { createLastGood } from './last-good.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-last-good-'))
after(() => rmSync(directory, { recursive: true }))

let files = 0
const newFile = (): string => join(directory, `serving-${++files}.db`)

const delta = (
  revision: number,
  policies: readonly PolicyFragment[],
  more: Partial<SnapshotDelta> = {},
): TextDelta => asTexts(deltaOf(revision, policies, more))

const whole = (snapshot: PackedSnapshot | null): TextDelta | null => snapshot && unpacked(snapshot)

const GOLD = policy('gold', [rate(10)])
const SOURCE = 'jwks https://id.test/keys'
const NOON = Date.UTC(2026, 2, 4, 12)
const keySet = (kid: string, at = NOON) => ({ keys: [{ kty: 'EC', kid }], introspection: null, at })
const SILVER = policy('silver', [rate(5)])

test('what is kept is the sum of all changes, also for the next process', async () => {
  const file = newFile()
  const first = openLastGood(file)
  const kept = createLastGood(first, assert.ifError)
  assert.equal(kept.load(), null)
  await kept.keep(delta(1, [GOLD], { full: true }))
  await kept.keep(delta(2, [SILVER]))
  await kept.keep(delta(3, [], { drop: [keyOf(GOLD)] }))
  first.close()
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const second = openLastGood(file)
  const again = createLastGood(second, assert.ifError)
  const loaded = again.load()
  assert.deepEqual(whole(loaded), delta(3, [SILVER], { full: true }))
  assert.equal(loaded?.digest, digestOf(delta(9, [SILVER]).put))
  second.close()
})

test('a full change leaves nothing of what was there', async () => {
  const store = openLastGood(newFile())
  const kept = createLastGood(store, assert.ifError)
  await kept.keep(delta(1, [GOLD], { full: true }))
  await kept.keep(delta(5, [SILVER], { full: true }))
  assert.deepEqual(
    whole(kept.load())?.put.map(({ key }) => key),
    [keyOf(SILVER)],
  )
  store.close()
})

test('of a copy with a damaged entry nothing is served', async () => {
  const file = newFile()
  const store = openLastGood(file)
  await createLastGood(store, assert.ifError).keep(delta(1, [GOLD], { full: true }))
  store.close()
  const bytes = readFileSync(file, 'latin1')
  writeFileSync(file, bytes.replace('"max":10', '"max":99'), 'latin1')
  const again = openLastGood(file)
  const faults: unknown[] = []
  const kept = createLastGood(again, (error) => faults.push(error))
  assert.equal(kept.load(), null)
  assert.match(String(faults[0]), /policy:pol_gold is damaged/)
  again.close()
})

test('key sets are kept for the next process, each its last, for a day', () => {
  const file = newFile()
  const first = openLastGood(file)
  const { keySets } = createLastGood(first, assert.ifError)
  assert.equal(keySets.load(SOURCE), null)
  keySets.keep(SOURCE, keySet('a'))
  keySets.keep(SOURCE, keySet('b', NOON + 1000.5))
  keySets.keep('jwks old', keySet('c', NOON - 86_400_000))
  keySets.keep('jwks new', keySet('d'))
  first.close()
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const second = openLastGood(file)
  const kept = createLastGood(second, assert.ifError)
  assert.deepEqual(kept.keySets.load(SOURCE), keySet('b', NOON + 1000.5))
  assert.deepEqual(kept.keySets.load('jwks new'), keySet('d'))
  kept.keySets.keep('jwks new', keySet('d', NOON + 1))
  assert.equal(kept.keySets.load('jwks old'), null)
  assert.equal(kept.load(), null, 'keys alone are no configuration')
  second.close()
  // A fetch may end after the process was told to stop
  kept.keySets.keep('jwks new', keySet('e', NOON + 2))
  const third = openLastGood(file)
  assert.deepEqual(createLastGood(third, assert.ifError).keySets.load('jwks new'), keySet('d', NOON + 1))
  third.close()
})

test('a key set that is damaged, or of another source, is not used', () => {
  for (const change of [
    "update key_sets set text = replace(text, 'EC', 'RSA')",
    "update key_sets set text = 'no JSON'",
    "update key_sets set source = 'jwks other'",
  ]) {
    const file = newFile()
    const store = openLastGood(file)
    createLastGood(store, assert.ifError).keySets.keep(SOURCE, keySet('a'))
    store.close()
    const database = new DatabaseSync(file)
    database.exec(change)
    database.close()
    const again = openLastGood(file)
    const faults: unknown[] = []
    const { keySets } = createLastGood(again, (error) => faults.push(error))
    assert.deepEqual([keySets.load(SOURCE), keySets.load('jwks other')], [null, null])
    assert.equal(faults.length, 1)
    again.close()
  }
})

test('a key set that cannot be kept takes those before with it', () => {
  const real = openLastGood(newFile())
  let isFull = false
  const store: LastGoodStore = {
    ...real,
    keepKeySet(...set) {
      if (isFull) throw new Error('database or disk is full')
      real.keepKeySet(...set)
    },
  }
  const faults: unknown[] = []
  const { keySets } = createLastGood(store, (error) => faults.push(error))
  keySets.keep(SOURCE, keySet('withdrawn'))
  isFull = true
  keySets.keep(SOURCE, keySet('b'))
  assert.deepEqual([keySets.load(SOURCE), faults.length], [null, 1])
  real.close()
})

test('a change that cannot be kept takes everything older with it, until the whole is kept anew', async () => {
  const real = openLastGood(newFile())
  let isFull = false
  const store: LastGoodStore = {
    ...real,
    async keep(change) {
      if (isFull) throw new Error('database or disk is full')
      await real.keep(change)
    },
  }
  const faults: unknown[] = []
  const kept = createLastGood(store, (error) => faults.push(error))
  await kept.keep(delta(1, [GOLD, SILVER], { full: true }))
  isFull = true
  await kept.keep(delta(2, [], { drop: [keyOf(GOLD)] }))
  assert.equal(faults.length, 1)
  assert.equal(kept.load(), null, 'the dropped policy must not come back')
  isFull = false
  await kept.keep(delta(3, [GOLD]))
  assert.equal(kept.load(), null, 'a part is no whole')
  await kept.mend(async (keepWhole) => keepWhole(packed(deltaOf(4, [SILVER]))))
  assert.deepEqual(whole(kept.load()), delta(4, [SILVER], { full: true }))
  await kept.mend(() => Promise.reject(new Error('there is nothing to mend')))
  real.close()
})

/** A change of eight policies, each of which takes longer to read than a slice. */
const slow = (revision: number) => {
  const { put, ...rest } = delta(
    revision,
    Array.from({ length: 8 }, (_, at) => policy(`slow${at}`, [rate(5)])),
    { full: true },
  )
  function* slowly() {
    for (const one of put) {
      const until = performance.now() + 6
      while (performance.now() < until);
      yield one
    }
  }
  return { ...rest, put: { [Symbol.iterator]: slowly } }
}

/** Starts to keep a slow change, and does something when the event loop has had a few turns meanwhile. */
async function keptMeanwhile(
  meanwhile: (store: LastGoodStore, keySets: ReturnType<typeof createLastGood>['keySets']) => void,
) {
  const file = newFile()
  const store = openLastGood(file)
  const faults: unknown[] = []
  const kept = createLastGood(store, (error) => faults.push(error))
  await kept.keep(delta(1, [GOLD], { full: true }))
  let isDone = false
  const keeping = kept.keep(slow(2)).finally(() => {
    isDone = true
  })
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(isDone, false, 'the event loop has its turns before all is written')
  meanwhile(store, kept.keySets)
  await keeping
  return { file, store, kept, faults }
}

test('a change that takes long is written in slices, and what is kept or closed meanwhile finds all of it', async () => {
  const { store, kept, faults } = await keptMeanwhile((_, keySets) => keySets.keep(SOURCE, keySet('a')))
  assert.deepEqual([faults, kept.load()?.revision], [[], 2])
  assert.equal([...store.entries()].length, 8)
  assert.deepEqual(kept.keySets.load(SOURCE), keySet('a'))
  store.close()

  const { file } = await keptMeanwhile((closing) => closing.close())
  const again = openLastGood(file)
  assert.equal(createLastGood(again, assert.ifError).load()?.revision, 2)
  assert.equal([...again.entries()].length, 8)
  again.close()
})

test('a change that is forgotten while it is written is not kept, nor is what follows it', async () => {
  const { store, kept, faults } = await keptMeanwhile((forgetting) => forgetting.forget())
  assert.equal(faults.length, 1)
  assert.equal(kept.load(), null)
  await kept.keep(delta(3, [SILVER]))
  assert.equal(kept.load(), null)
  await kept.mend(async (keepWhole) => keepWhole(packed(deltaOf(4, [SILVER]))))
  assert.deepEqual(whole(kept.load()), delta(4, [SILVER], { full: true }))
  store.close()
})

test('changes are kept in the order in which they come, also while one takes long', async () => {
  const store = openLastGood(newFile())
  const kept = createLastGood(store, assert.ifError)
  await Promise.all([
    kept.keep(slow(2)),
    kept.keep(delta(3, [GOLD])),
    kept.keep(delta(4, [], { drop: [keyOf(GOLD)] })),
  ])
  assert.deepEqual([kept.load()?.revision, [...store.entries()].length], [4, 8])
  store.close()
})
