import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { recordFields } from '../../test/programs/record-fields.ts'
import { eventually } from '../../test/support/eventually.ts'
import type { RecordStore } from '../store/ports/records.ts'
import { openRecordReader } from '../store/sqlite/record-reader.ts'
import { openRecordStore } from '../store/sqlite/records.ts'
import { createBatchWriter } from './batch.ts'
import { readBlock } from './block.ts'
import { createIngest } from './ingest.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-ingest-'))
after(() => rmSync(directory, { recursive: true }))

const everything = {
  fromMs: Number.NEGATIVE_INFINITY,
  toMs: Number.POSITIVE_INFINITY,
  words: [],
  classes: 0xffff,
  agentsOnly: false,
}

function batchOf(name: string, rows: number, timeMs = 1_800_000_000_000, proved = true) {
  const writer = createBatchWriter(rows, proved)
  for (let i = 0; i < rows; i++) writer.add(recordFields({ id: `${name}-${i}`, timeMs }))
  return writer.take()
}

/** Ids by block, in the order of the reader. */
async function stored(path: string): Promise<string[][]> {
  const reader = openRecordReader(path)
  const ids: string[][] = []
  await reader.scan(everything, (block) => {
    const rows = readBlock(block)
    ids.push(Array.from({ length: rows.count }, (_, row) => rows.id(row)))
    return true
  })
  await reader.close()
  return ids
}

test('while the store refuses, batches wait unacknowledged, the state says why, and then all arrive', async () => {
  const path = join(directory, 'locked.db')
  const store = openRecordStore(path)
  const ingest = createIngest(store)
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  let taken = 0
  ingest.push(batchOf('a', 10), () => taken++)
  ingest.push(batchOf('b', 10), () => taken++)
  await eventually(() => ingest.state.lastError !== null)
  assert.deepEqual(
    { ...ingest.state, taken },
    { queued: 20, dropped: 0, lastError: `${path}: database is locked (SQLite 5)`, taken: 0 },
  )
  other.exec('ROLLBACK')
  other.close()
  await eventually(() => taken === 2)
  assert.deepEqual(ingest.state, { queued: 0, dropped: 0, lastError: null })
  assert.equal((await stored(path)).flat().length, 20)
  await store.close()
})

test('a batch that cannot be stored is given up alone and counted', async () => {
  const path = join(directory, 'poison.db')
  const store = openRecordStore(path)
  const ingest = createIngest(store)
  let taken = 0
  const poison = { ...batchOf('bad', 5), numbers: new ArrayBuffer(8) }
  ingest.push(batchOf('a', 5), () => taken++)
  ingest.push(poison, () => taken++)
  ingest.push(batchOf('c', 5), () => taken++)
  await ingest.settle()
  assert.equal(taken, 3)
  assert.equal(ingest.state.dropped, 5)
  assert.deepEqual((await stored(path)).flat().length, 10)
  await store.close()
})

test('many small blocks become few, and every record stays once', async () => {
  const path = join(directory, 'small.db')
  const store = openRecordStore(path)
  const ingest = createIngest(store)
  for (let i = 0; i < 200; i++) {
    ingest.push(batchOf(`b${i}`, 1 + (i % 3), 1_800_000_000_000 + i), () => {})
    await ingest.settle()
  }
  await eventually(async () => (await stored(path)).length < 70)
  const ids = (await stored(path)).flat()
  assert.equal(ids.length, 399)
  assert.equal(new Set(ids).size, 399)
  await store.close()
})

test('records keep the environment in which they were made when blocks are merged and rows deleted', async () => {
  const path = join(directory, 'environment.db')
  const store = openRecordStore(path)
  const feed = async (environment: string | null, name: string, batches: number): Promise<void> => {
    const ingest = createIngest(store, environment)
    for (let i = 0; i < batches; i++) {
      ingest.push(batchOf(`${name}${i}`, 2), () => {})
      await ingest.settle()
    }
    if (environment === null) return
    await eventually(async () => (await stored(path)).length < batches)
    assert.equal((await ingest.remove({ request_id: `${name}0-0` }, false, never)).removed, 1)
  }
  await feed(null, 'a', 3)
  await feed('staging', 'b', 100)
  const reader = openRecordReader(path)
  const found = new Map<string, string | null>()
  await reader.scan(everything, (block) => {
    const rows = readBlock(block)
    for (let row = 0; row < rows.count; row++) found.set(rows.id(row), block.environment)
    return true
  })
  await reader.close()
  assert.equal(found.size, 6 + 199)
  for (const [id, environment] of found) assert.equal(environment, id.startsWith('a') ? null : 'staging', id)
  await store.close()
})

test('old blocks are deleted in steps while new ones keep coming', async () => {
  const path = join(directory, 'old.db')
  const store = openRecordStore(path)
  const ingest = createIngest(store)
  for (let i = 0; i < 150; i++) ingest.push(batchOf(`old${i}`, 130, 1000 + i), () => {})
  ingest.push(batchOf('new', 130, 5000), () => {})
  const order: string[] = []
  const pruned = ingest.prune(4000).then(() => order.push('deleted'))
  ingest.push(batchOf('newer', 130, 6000), () => order.push('newer'))
  await pruned
  await ingest.settle()
  const kept = (await stored(path)).map((ids) => ids[0])
  assert.deepEqual(kept, ['newer-0', 'new-0'])
  assert.deepEqual(order, ['newer', 'deleted'])
  await store.close()
})

test('beyond the size they may take, the oldest blocks make room, and the file stays below three times that size', async () => {
  const path = join(directory, 'large.db')
  const store = openRecordStore(path)
  const ingest = createIngest(store)
  const bytesMax = 400_000
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 20; i++) ingest.push(batchOf(`r${round}-${i}`, 130, 1000 * (round + 1) + i), () => {})
    await ingest.prune(0, bytesMax)
    await ingest.settle()
    assert.ok((await stored(path)).length > 5)
  }
  const kept = await stored(path)
  assert.equal(kept[0]?.[0], 'r4-19-0', 'the newest is there')
  assert.ok(!kept.flat().some((id) => id.startsWith('r0')), 'the oldest is not')
  // What is freed is used again
  assert.ok(statSync(path).size < 3 * bytesMax, `${statSync(path).size}`)
  await store.close()
})

test('when the store is full, callers who have proved nothing keep a quarter of it and evict nothing of the others', async () => {
  const path = join(directory, 'shares.db')
  const store = openRecordStore(path)
  const ingest = createIngest(store)
  const bytesMax = 600_000
  for (let i = 0; i < 12; i++) ingest.push(batchOf(`known${i}`, 130, 1000 + i), () => {})
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 40; i++)
      ingest.push(batchOf(`flood${round}.${i}`, 130, 2000 + 100 * round + i, false), () => {})
    await ingest.settle()
    await ingest.prune(0, bytesMax)
  }
  const kept = (await stored(path)).map((ids) => ids[0]!)
  assert.equal(kept.filter((id) => id.startsWith('known')).length, 12, 'older than all of the flood')
  assert.equal(kept[0], 'flood4.39-0', 'of the flood the newest are there')
  assert.ok(!kept.some((id) => id.startsWith('flood0')))

  for (let i = 0; i < 100; i++) ingest.push(batchOf(`later${i}`, 130, 3000 + i), () => {})
  await ingest.settle()
  await ingest.prune(0, bytesMax)
  const left = (await stored(path)).map((ids) => ids[0]!)
  assert.ok(
    left.some((id) => id.startsWith('flood')),
    'the others do not push it out of its quarter',
  )
  assert.ok(!left.some((id) => id.startsWith('known')), 'they make room among themselves')
  assert.equal(left[0], 'later99-0')
  await store.close()
})

test('batches of callers who have proved who they are go first', async () => {
  const path = join(directory, 'first.db')
  const store = openRecordStore(path)
  const ingest = createIngest(store)
  const order: string[] = []
  for (let i = 0; i < 20; i++)
    ingest.push(batchOf(`flood${i}`, 500, 1000, false), () => order.push(`flood${i}`))
  for (let i = 0; i < 3; i++) ingest.push(batchOf(`known${i}`, 500), () => order.push(`known${i}`))
  await ingest.settle()
  assert.deepEqual(order.slice(0, 4), ['known0', 'known1', 'known2', 'flood0'])
  assert.equal(order.length, 23)
  assert.equal((await stored(path)).length, 23)
  await store.close()
})

const mixed = (names: readonly string[]) => {
  const writer = createBatchWriter(names.length)
  for (const name of names) writer.add(recordFields({ id: name, client: `cli_${name[0]}`, path: `/${name}` }))
  return writer.take()
}
const never = (): boolean => false

test('deleting takes the rows that fit out of their blocks, leaves the others whole, and nothing of it in the files', async () => {
  const path = join(directory, 'removal.db')
  const store = openRecordStore(path)
  const ingest = createIngest(store)
  const rows = [['a1', 'b1', 'a2'], ['b2'], ['a3', 'a4'], ['b3', 'a5']]
  for (const names of rows) ingest.push(mixed(names), () => {})
  await ingest.settle()
  const bytes = (): string => [path, `${path}-wal`].map((file) => readFileSync(file, 'latin1')).join('')
  assert.ok(bytes().includes('/a3'))

  assert.deepEqual(await ingest.remove({ client: 'cli_a' }, true, never), { removed: 5, more: false })
  assert.equal((await stored(path)).flat().length, 8, 'counting deletes nothing')
  assert.deepEqual(await ingest.remove({ client: 'cli_a' }, false, never), { removed: 5, more: false })
  assert.deepEqual((await stored(path)).flat().sort(), ['b1', 'b2', 'b3'])
  assert.ok(!/\/a[1-5]/.test(bytes()))
  assert.deepEqual(await ingest.remove({ client: 'cli_a' }, false, never), { removed: 0, more: false })
  await store.close()
})

test('a deletion that runs out of time says that there is more, and rows that come meanwhile are stored', async () => {
  const path = join(directory, 'late.db')
  const store = openRecordStore(path)
  const ingest = createIngest(store)
  for (let i = 0; i < 30; i++) ingest.push(mixed([`a${i}`, `b${i}`]), () => {})
  await ingest.settle()
  let looks = 0
  const first = ingest.remove({ client: 'cli_a' }, false, () => ++looks > 2)
  ingest.push(mixed(['a-new']), () => {})
  const { removed, more } = await first
  assert.ok(more && removed > 0 && removed < 30, `${removed}`)
  const tooLate = await ingest.remove({ client: 'cli_a' }, false, () => true)
  assert.deepEqual(tooLate, { removed: 0, more: true })
  const rest = await ingest.remove({ client: 'cli_a' }, false, never)
  assert.deepEqual(rest, { removed: 31 - removed, more: false })
  assert.equal((await stored(path)).flat().length, 30)
  await store.close()
})

test('a deletion that the store refuses is told, and the next one is tried', async () => {
  const path = join(directory, 'refusing.db')
  const real = openRecordStore(path)
  let broken = true
  const find: RecordStore['find'] = async (...args) => {
    if (broken) throw new Error('disk trouble')
    return real.find(...args)
  }
  const ingest = createIngest({ ...real, find })
  ingest.push(mixed(['a1']), () => {})
  await assert.rejects(ingest.remove({ client: 'cli_a' }, false, never), /disk trouble/)
  broken = false
  assert.equal((await ingest.remove({ client: 'cli_a' }, false, never)).removed, 1)
  await real.close()
})

test('a store that fails while merging or deleting does not stop the recording', async () => {
  const path = join(directory, 'faulty.db')
  const real = openRecordStore(path)
  const fail = async (): Promise<never> => {
    throw new Error('disk trouble')
  }
  const faulty: RecordStore = { ...real, small: fail, prune: fail }
  const ingest = createIngest(faulty)
  await ingest.prune(1)
  ingest.push(batchOf('a', 1), () => {})
  await ingest.settle()
  assert.equal((await stored(path)).flat().length, 1)
  await real.close()
})
