/**
 * What every store of request records must do, as {@link RecordStore} and {@link RecordReader} promise it. What the bytes of blocks
 * are made of, and how full disks are met, are tests of their own.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BlockRange, RecordBlock, RecordReader, RecordStore } from '../../src/store/ports/records.ts'

export interface RecordPlace {
  /** Opens the store, which is empty the first time. Only one is open at a time. */
  open(): Promise<RecordStore>
  /** After the store was opened once. */
  openReader(): Promise<RecordReader>
}

const NOW = 1_800_000_000_000

const block = (n: number, its: Partial<RecordBlock> = {}): RecordBlock => ({
  rows: n,
  proved: true,
  minTimeMs: NOW + n * 10,
  maxTimeMs: NOW + n * 10 + 5,
  classes: 4,
  agents: 0,
  environment: null,
  words: JSON.stringify(['all', `w${n}`, '"%_']),
  numbers: Uint8Array.from({ length: 8 }, (_, at) => (at * 37 + n) % 256),
  text: Buffer.from(`text ${n} é`),
  ...its,
})

const ALL: BlockRange = { fromMs: 0, toMs: NOW * 2, words: [], classes: 255, agentsOnly: false }

async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
const countOf = async (batches: AsyncIterable<readonly unknown[]>): Promise<number> =>
  (await allOf(batches)).flat().length

/** Declares the tests for an engine. @param name stands before the name of each test */
export function recordStoreSuite(name: string, make: () => Promise<RecordPlace>): void {
  const rowsOf = async (store: RecordStore, range: Partial<BlockRange> = {}): Promise<number[]> =>
    (await store.find({ ...ALL, ...range }, 0, 100)).map(({ rows }) => rows)

  /** As if rollups had counted everything. */
  const count = async (store: RecordStore): Promise<void> => {
    const blocks = await store.rollups.uncounted(1000)
    const nothing = { rows: [], words: [], uncarried: [], carried: [] }
    await store.rollups.save(
      nothing,
      blocks.map(({ id }) => id),
    )
  }

  test(`${name}: blocks are found as they were stored, by time, words, class and agents`, async () => {
    const store = await (await make()).open()
    await store.append([block(1), block(2, { agents: 3, classes: 16 }), block(3, { environment: 'test' })])
    const [first, second] = await store.find(ALL, 0, 2)
    const { id, numbers, text, ...rest } = first!
    const { numbers: bytes, text: letters, ...known } = block(1)
    assert.deepEqual(rest, known)
    assert.deepEqual([Buffer.from(numbers), Buffer.from(text)], [Buffer.from(bytes), Buffer.from(letters)])
    assert.ok(second!.id > id)
    assert.deepEqual(
      (await store.find(ALL, id, 100)).map(({ rows }) => rows),
      [2, 3],
    )
    assert.deepEqual(await rowsOf(store, { fromMs: NOW + 15, toMs: NOW + 20 }), [1, 2])
    assert.deepEqual(await rowsOf(store, { fromMs: NOW + 16, toMs: NOW + 19 }), [])
    assert.deepEqual(await rowsOf(store, { words: ['w3', 'all'] }), [3])
    assert.deepEqual(await rowsOf(store, { words: ['"%_'] }), [1, 2, 3])
    assert.deepEqual(await rowsOf(store, { words: ['w_'] }), [])
    assert.deepEqual(await rowsOf(store, { classes: 16 + 32 }), [2])
    assert.deepEqual(await rowsOf(store, { agentsOnly: true }), [2])
    await store.close()
  })

  test(`${name}: readers follow blocks in the order in which they were stored, also where blocks are merged`, async () => {
    const place = await make()
    const store = await place.open()
    const reader = await place.openReader()
    const follow = async (after: number): Promise<{ rows: number[]; places: number[] }> => {
      const [rows, places]: [number[], number[]] = [[], []]
      for (let at = after; ; ) {
        const found = await reader.next(at)
        if (found === undefined) return { rows, places }
        rows.push(found.block.rows)
        places.push(found.place)
        at = found.place
      }
    }
    assert.equal(await reader.next(0), undefined)
    assert.equal(await reader.placeBefore(0), 0)
    // Times do not matter: a slow request is stored late
    await store.append([block(1), block(30), block(4)])
    await store.append([block(2)])
    const first = await follow(0)
    assert.deepEqual(first.rows, [1, 30, 4, 2])
    assert.deepEqual(
      first.places,
      first.places.toSorted((one, other) => one - other),
    )
    const [, second, , last] = first.places as [number, number, number, number]
    assert.deepEqual((await follow(second)).rows, [4, 2])

    await count(store)
    const small = await store.small(10, 9, null, true)
    await store.replace(
      small.map(({ id }) => id),
      block(7),
    )
    assert.deepEqual((await follow(last)).rows, [], 'who has passed a block does not get it again merged')
    assert.deepEqual((await follow(second)).rows, [7], 'who has not passed all of them misses none')
    assert.deepEqual((await follow(0)).rows, [30, 7])

    const [merged] = await store.find({ ...ALL, words: ['w7'] }, 0, 1)
    await store.erase(merged!.id, block(6), null)
    assert.deepEqual((await follow(last)).rows, [], 'an erasure gives nothing again')
    await store.append([block(8)])
    assert.deepEqual((await follow(last)).rows, [8])
    assert.deepEqual(
      (await follow(await reader.placeBefore(NOW + 80))).rows,
      [30, 6, 8],
      'from the slow one on',
    )
    assert.deepEqual((await follow(await reader.placeBefore(NOW * 2))).rows, [], 'only what comes later')
    assert.deepEqual((await follow(await reader.placeBefore(0))).rows, [30, 6, 8])
    assert.match(await reader.identity(), /^[0-9a-f]{32}$/)
    await reader.close()
    await store.close()
  })

  test(`${name}: small blocks of one environment and share are put together`, async () => {
    const store = await (await make()).open()
    await store.append([
      block(1),
      block(2, { environment: 'test' }),
      block(3, { proved: false }),
      block(4),
      block(50),
      block(5),
    ])
    assert.deepEqual(await store.small(50, 2, null, true), [], 'rollups must count them before')
    await count(store)
    const small = await store.small(50, 2, null, true)
    assert.deepEqual(
      small.map(({ rows }) => rows),
      [1, 4],
    )
    assert.deepEqual(
      (await store.small(50, 9, 'test', true)).map(({ rows }) => rows),
      [2],
    )
    assert.deepEqual(
      (await store.small(50, 9, null, false)).map(({ rows }) => rows),
      [3],
    )
    await store.replace(
      small.map(({ id }) => id),
      block(60),
    )
    assert.deepEqual(await rowsOf(store), [2, 3, 50, 5, 60])
    const [some] = await store.find({ ...ALL, words: ['w50'] }, 0, 1)
    assert.equal(await store.erase(some!.id, block(49), null), true)
    assert.equal(await store.erase(some!.id, block(48), null), false, 'it is not there any more')
    const [other] = await store.find({ ...ALL, words: ['w5'] }, 0, 1)
    await store.erase(other!.id, null, null)
    await store.settle()
    await store.touch()
    assert.deepEqual(await rowsOf(store), [2, 3, 60, 49])
    await store.close()
  })

  test(`${name}: retention removes the oldest blocks, and a reader knows up to when`, async () => {
    const place = await make()
    const store = await place.open()
    const reader = await place.openReader()
    await store.append([block(3), block(1), block(2), block(4)])
    assert.equal(await reader.removedUntil(), null)
    assert.equal(await store.prune(NOW + 100, 9), 0, 'rollups must count them before')
    await count(store)
    assert.deepEqual([await store.prune(NOW + 15, 9), await store.prune(NOW + 100, 2)], [0, 2])
    const left = await rowsOf(store)
    assert.equal(left.length, 2)
    assert.ok((await reader.removedUntil())! >= NOW + 15)
    assert.equal(await store.prune(NOW + 100, 9), 2)
    assert.equal(await reader.removedUntil(), NOW + 45)
    await reader.close()
    await store.close()
  })

  test(`${name}: a store that is too full lets go of the oldest, and of callers without proof first`, async () => {
    const store = await (await make()).open()
    const large = (n: number, proved: boolean) => block(n, { proved, text: new Uint8Array(50_000) })
    await store.append([large(1, true), large(2, false), large(3, true), large(4, false)])
    assert.equal(await store.shrink(1, 0, 9), 0, 'rollups must count them before')
    await count(store)
    assert.equal(await store.shrink(Number.MAX_SAFE_INTEGER, 0, 9), 0)
    assert.equal(await store.shrink(1, 60_000, 1), 1)
    assert.deepEqual(await rowsOf(store), [1, 3, 4])
    // What is left of them is within their share
    assert.equal(await store.shrink(1, 60_000, 1), 1)
    assert.deepEqual(await rowsOf(store), [3, 4])
    assert.equal(await store.shrink(1, 0, 9), 2)
    await store.close()
  })

  test(`${name}: a reader sees blocks in both orders, and those that are stored later`, async () => {
    const place = await make()
    const store = await place.open()
    const reader = await place.openReader()
    await store.append([block(2), block(1), block(3)])
    const seen = async (order: 'newest' | 'oldest', max = 9, range: Partial<BlockRange> = {}) => {
      const rows: number[] = []
      await reader.scan({ ...ALL, ...range }, (found) => rows.push(found.rows) < max, order)
      return rows
    }
    assert.deepEqual(await seen('newest'), [3, 2, 1])
    assert.deepEqual(await seen('oldest'), [1, 2, 3])
    assert.deepEqual(await seen('newest', 2), [3, 2])
    await store.append([block(4)])
    assert.deepEqual(await seen('newest', 1), [4])
    assert.deepEqual(await seen('oldest', 9, { words: ['w1'] }), [1])
    await reader.close()
    await store.close()
  })

  test(`${name}: quotas outlive a restart, and go when they are old by time and by turns`, async () => {
    const place = await make()
    let store = await place.open()
    const row = (key: string, period: number) => ({
      key,
      period,
      ends: period + 9,
      entered: 1,
      count: 2 ** 40,
    })
    await store.quotas.save([row('a', NOW), row('b', NOW + 100)])
    await store.quotas.save([{ ...row('a', NOW), count: 7 }])
    await store.close()
    store = await place.open()
    const load = async () =>
      (await store.quotas.load())
        .toSorted((a, b) => (a.key < b.key ? -1 : 1))
        .map(({ key, count }) => [key, count])
    assert.deepEqual(await load(), [
      ['a', 7],
      ['b', 2 ** 40],
    ])
    await store.quotas.prune(NOW + 1, 1)
    assert.equal((await load()).length, 2, 'saved one turn ago')
    await store.quotas.prune(NOW + 1, 1)
    assert.deepEqual(await load(), [['b', 2 ** 40]])
    await store.close()
  })

  test(`${name}: rollups are read as they were saved, by width, facet, shard and time, with what they do not count yet`, async () => {
    const place = await make()
    const store = await place.open()
    const reader = await place.openReader()
    await store.append([block(1), block(2), block(3)])
    const [first, second] = await store.rollups.uncounted(2)
    const row = (widthMs: number, startMs: number, facet: number, shard: number) => ({
      ...{ widthMs, startMs, facet, shard },
      data: Uint8Array.of(widthMs, startMs, facet, shard),
    })
    const rows = [row(1, 10, 0, 0), row(1, 11, 0, 0), row(1, 10, 2, 1), row(1, 10, 2, 2), row(5, 10, 0, 0)]
    await store.rollups.save(
      {
        rows,
        words: [
          [1, 'é'],
          [2, 'w'],
        ],
        uncarried: [10, 11],
        carried: [],
      },
      [first!.id],
    )
    assert.deepEqual(
      [await store.rollups.isCounted(first!.id), await store.rollups.isCounted(second!.id)],
      [true, false],
    )
    assert.deepEqual(
      [...(await store.rollups.words())],
      [
        ['é', 1],
        ['w', 2],
      ],
    )
    const changed = { ...row(1, 11, 0, 0), data: Uint8Array.of(99) }
    await store.rollups.save({ rows: [changed], words: [], uncarried: [], carried: [10] }, [])
    assert.deepEqual(await store.rollups.uncarried(), [11])
    assert.deepEqual(
      (await store.rollups.read([changed, { ...changed, shard: 7 }])).map((data) => data && [...data]),
      [[99], null],
    )
    assert.equal((await store.rollups.startingAt(1, 10)).length, 3)
    const seen = await reader.rollups(async (view) => ({
      words: [view.word(2), view.word(1), view.word(9)],
      all: (await allOf(view.shards(1, 2, null, 0, 99))).flat().map(({ data }) => data[3]),
      one: (await allOf(view.shards(1, 0, 0, 10, 11))).flat().map(({ startMs }) => startMs),
      uncarried: await view.uncarried(0, 99),
      uncounted: (await allOf(view.uncounted(0, NOW * 2))).map((one) => one.rows),
      kept: [...(await view.keptSince())],
    }))
    assert.deepEqual(seen, {
      words: ['w', 'é', ''],
      all: [1, 2],
      one: [10],
      uncarried: [11],
      uncounted: [2, 3],
      kept: [],
    })
    assert.equal(await reader.rowsWithin(0, NOW * 2, 100), 6)
    await store.rollups.prune([[1, 11]], Number.POSITIVE_INFINITY)
    assert.deepEqual(
      await reader.rollups(async (view) => [
        await view.keptSince(),
        await countOf(view.shards(1, 0, 0, 0, 99)),
      ]),
      [new Map([[1, 11]]), 1],
    )
    await store.rollups.prune([], 4)
    assert.deepEqual(
      await reader.rollups(async (view) => [
        await countOf(view.shards(1, 0, 0, 0, 99)),
        await countOf(view.shards(5, 0, 0, 0, 99)),
      ]),
      [0, 1],
      'the narrowest go first',
    )
    await reader.close()
    await store.close()
  })

  test(`${name}: a view of rollups is of one moment, and other questions wait for its end`, async () => {
    const place = await make()
    const store = await place.open()
    const reader = await place.openReader()
    const shard = (startMs: number) => ({
      ...{ widthMs: 1, startMs, facet: 0, shard: 0 },
      data: Uint8Array.of(1),
    })
    const rows = Array.from({ length: 300 }, (_, at) => shard(at))
    await store.append([block(1)])
    const [uncounted] = await store.rollups.uncounted(9)
    await store.rollups.save({ rows, words: [[1, 'first']], uncarried: [5], carried: [] }, [])
    const { promise: areAsked, resolve: asked } = Promise.withResolvers<void>()
    const { promise: isOpen, resolve: opened } = Promise.withResolvers<void>()
    const ended: string[] = []
    const seeing = reader.rollups(async (view) => {
      let found = 0
      for await (const some of view.shards(1, 0, null, 0, 1000)) {
        found += some.length
        opened()
        await areAsked
      }
      const blocks = (await allOf(view.uncounted(0, NOW * 2))).map((one) => one.rows)
      ended.push('the view')
      return [
        found,
        [view.word(1), view.word(2)],
        await view.uncarried(0, 99),
        await view.keptSince(),
        blocks,
      ]
    })
    await isOpen
    await store.append([block(2)])
    const changed = { rows: [shard(900)], words: [[2, 'second']] as const, uncarried: [6], carried: [5] }
    await store.rollups.save(changed, [uncounted!.id])
    await store.rollups.prune([[1, 299]], Number.POSITIVE_INFINITY)
    const others = [
      reader.rollups(async (later) => countOf(later.shards(1, 0, 0, 0, 1000))),
      reader.rowsWithin(0, NOW * 2, 100),
      reader.removedUntil(),
      reader.scan(ALL, () => true),
    ]
    for (const other of others) void other.then(() => ended.push('another'))
    await new Promise((resolve) => setImmediate(resolve))
    asked()
    assert.deepEqual(await seeing, [300, ['first', ''], [5], new Map(), [1]])
    assert.deepEqual((await Promise.all(others)).slice(0, 2), [2, 3])
    assert.deepEqual(ended.slice(0, 2), ['the view', 'another'])
    await reader.close()
    await store.close()
  })

  test(`${name}: a view whose reader fails ends too`, async () => {
    const place = await make()
    const store = await place.open()
    const reader = await place.openReader()
    await store.append([block(1), block(2)])
    const failing = reader.rollups(async (view) => {
      for await (const one of view.uncounted(0, NOW * 2)) throw new Error(`read ${one.rows}`)
    })
    await assert.rejects(failing, { message: /^read [12]$/ })
    assert.equal(await reader.rollups(async (view) => (await allOf(view.uncounted(0, NOW * 2))).length), 2)
    await reader.close()
    await store.close()
  })

  test(`${name}: rows that are erased leave the rollups in the same transaction`, async () => {
    const place = await make()
    const store = await place.open()
    await store.append([block(1), block(2)])
    const [first] = await store.rollups.uncounted(9)
    await count(store)
    const key = { widthMs: 1, startMs: 10, facet: 0, shard: 0 }
    const rows = [{ ...key, data: Uint8Array.of(7) }]
    await store.erase(first!.id, block(5), { rows, words: [], uncarried: [], carried: [] })
    assert.deepEqual(await store.rollups.uncounted(9), [])
    assert.deepEqual([...(await store.rollups.read([key]))[0]!], [7])
    await store.append([block(9)])
    const [last] = await store.rollups.uncounted(9)
    await store.erase(last!.id, block(8), null)
    assert.deepEqual(
      (await store.rollups.uncounted(9)).map((one) => one.rows),
      [8],
    )
    await store.close()
  })
}
