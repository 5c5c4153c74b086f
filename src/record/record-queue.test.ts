import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordFields } from '../../test/programs/record-fields.ts'
import type { RecordBatch } from './batch.ts'
import { decodeBatch } from './block.ts'
import { RECORD_CHARS_MAX, type RecordFields } from './fields.ts'
import { createRecordQueue } from './record-queue.ts'

test('a batch is handed over when it is full, and the rest when asked', () => {
  const batches: RecordBatch[] = []
  const queue = createRecordQueue({ batchRows: 10 })
  queue.attach((batch) => batches.push(batch))
  for (let i = 0; i < 25; i++) queue.add(recordFields({ id: `r${i}` }))
  assert.deepEqual(
    batches.map(({ rows }) => rows),
    [10, 10],
  )
  queue.flush()
  assert.deepEqual(
    batches.flatMap(decodeBatch).map(({ id }) => id),
    Array.from({ length: 25 }, (_, i) => `r${i}`),
  )
})

test('what is gathered is handed over soon without being asked', async () => {
  const queue = createRecordQueue()
  const handed = new Promise<RecordBatch>((done) => queue.attach(done))
  queue.add(recordFields())
  // The queue's timer does not keep a process alive.
  const alive = setInterval(() => {}, 1000)
  assert.equal((await handed).rows, 1)
  clearInterval(alive)
})

test('beyond the bound of batches underway records are dropped and counted, and none is lost after that', () => {
  const ids: string[] = []
  const queue = createRecordQueue({ batchRows: 10, batchesMax: 3 })
  queue.attach((batch) => ids.push(...decodeBatch(batch).map(({ id }) => id)))
  for (let i = 0; i < 100; i++) queue.add(recordFields({ id: `r${i}` }))
  assert.equal(ids.length, 30)
  assert.equal(queue.dropped, 60, 'three batches underway, one gathered')
  queue.taken(true)
  assert.equal(ids.length, 40, 'the gathered one goes as soon as there is room')
  for (let i = 0; i < 3; i++) queue.taken(true)
  queue.add(recordFields({ id: 'later' }))
  queue.flush()
  assert.equal(ids.at(-1), 'later')
  assert.equal(queue.dropped, 60)
})

test('while the recorder takes nothing, batches wait until they are full, so that few calls fill no queue', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const batches: RecordBatch[] = []
  const queue = createRecordQueue({ batchRows: 10, batchesMax: 8 })
  queue.attach((batch) => batches.push(batch))
  const sizes = (): number[] => batches.map(({ rows }) => rows)
  for (let i = 0; i < 54; i++) {
    queue.add(recordFields({ id: `r${i}` }))
    t.mock.timers.tick(1000)
  }
  assert.deepEqual(sizes(), [1, 1, 1, 1, 10, 10, 10, 10])
  assert.equal(queue.dropped, 0)
  for (let i = 0; i < 8; i++) queue.taken(true)
  assert.equal(sizes().length, 9)
  queue.taken(true)
  queue.add(recordFields({ id: 'r54' }))
  t.mock.timers.tick(1000)
  assert.deepEqual(
    batches.flatMap(decodeBatch).map(({ id }) => id),
    Array.from({ length: 55 }, (_, i) => `r${i}`),
  )
})

test('what waits for a full batch is handed over when it is asked for, and when one is taken', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const batches: RecordBatch[] = []
  const queue = createRecordQueue({ batchRows: 10, batchesMax: 8 })
  queue.attach((batch) => batches.push(batch))
  const give = (): void => {
    queue.add(recordFields())
    t.mock.timers.tick(1000)
  }
  for (let i = 0; i < 6; i++) give()
  assert.equal(batches.length, 4)
  queue.flush()
  assert.equal(batches.length, 5)
  give()
  assert.equal(batches.length, 5)
  queue.taken(true)
  assert.equal(batches.length, 6)
})

test('what was underway to a recorder that died is counted as dropped, and the next one gets what follows', () => {
  const ids: string[] = []
  const queue = createRecordQueue({ batchRows: 10 })
  queue.attach(() => {})
  for (let i = 0; i < 15; i++) queue.add(recordFields({ id: `r${i}` }))
  queue.attach(null)
  assert.equal(queue.dropped, 10)
  for (let i = 15; i < 40; i++) queue.add(recordFields({ id: `r${i}` }))
  assert.equal(queue.dropped, 30, 'one batch is held, the rest does not fit')
  queue.attach((batch) => ids.push(...decodeBatch(batch).map(({ id }) => id)))
  assert.deepEqual(
    ids,
    Array.from({ length: 10 }, (_, i) => `r${i + 10}`),
  )
})

test('long paths do not pile up: a batch also ends by its text', () => {
  const rows: number[] = []
  const queue = createRecordQueue({ batchRows: 1024 })
  queue.attach((batch) => rows.push(batch.rows))
  for (let i = 0; i < 1000; i++) queue.add(recordFields({ path: `/${'a'.repeat(2000)}` }))
  assert.ok(rows.length >= 2 && rows[0]! < 500, `batches of ${rows}`)
})

/** A request that was refused before its caller had proved anything. */
const refused = (members: Partial<RecordFields> = {}): RecordFields =>
  recordFields({
    credentialId: '',
    client: '',
    profile: '',
    status: 404,
    code: 'route_not_found',
    stoppedAt: 4,
    upstreamMs: -1,
    upstreamStatus: -1,
    timeMs: START,
    ...members,
  })
const START = 1_800_000_000_000

test('callers who have proved nothing cannot take the place of a record of those who have', () => {
  const kept: RecordFields[] = []
  const queue = createRecordQueue({ batchRows: 10, batchesMax: 4, now: () => START })
  queue.attach((batch) => kept.push(...decodeBatch(batch)))
  // Answered by an open profile, so that nothing is aggregated
  for (let i = 0; i < 1000; i++) queue.add(recordFields({ id: `open-${i}`, credentialId: '' }))
  for (let i = 0; i < 40; i++) queue.add(recordFields({ id: `proved-${i}` }))
  assert.equal(kept.filter(({ id }) => id.startsWith('open')).length, 10, 'a batch of four')
  assert.equal(kept.filter(({ id }) => id.startsWith('proved')).length, 40)
  assert.equal(queue.dropped, 980, 'one batch under way, one gathered')
})

test('of a flood of refusals the first ten of a source are recorded, all others counted in one record', () => {
  const kept: RecordFields[] = []
  let now = START
  const queue = createRecordQueue({ now: () => now })
  queue.attach((batch) => kept.push(...decodeBatch(batch)))
  for (let i = 0; i < 5000; i++)
    queue.add(refused({ id: `r${i}`, path: `/${'x'.repeat(6000)}`, durationMs: 2, bytesIn: 3 }))
  queue.add(refused({ id: 'other', ip: '127.0.0.2' }))
  queue.flush()
  assert.equal(kept.length, 11)
  now += 60_000
  queue.flush()
  assert.equal(kept.length, 12, 'once the minute is over')
  const { id, count, durationMs, bytesIn, code, ip, path } = kept.at(-1)!
  assert.deepEqual([id, count, durationMs, bytesIn], ['r10', 4990, 2, 3 * 4990])
  assert.deepEqual([code, ip, path.length], ['route_not_found', '127.0.0.1', RECORD_CHARS_MAX.path])
  queue.add(refused({ id: 'next', timeMs: now }))
  queue.flush()
  assert.equal(kept.at(-1)?.id, 'next', 'the next minute begins anew')
})

test('refusals of more sources than are told apart share one record for each code, and none is lost', () => {
  const kept: RecordFields[] = []
  const queue = createRecordQueue({ now: () => START })
  queue.attach((batch) => kept.push(...decodeBatch(batch)))
  for (let i = 0; i < 30_000; i++) {
    queue.add(refused({ ip: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}` }))
    if (i % 500 === 0) queue.flush()
    queue.taken(false)
  }
  queue.end()
  assert.equal(
    kept.reduce((sum, { count }) => sum + count, 0),
    30_000,
  )
  assert.ok(kept.length < 1100, `${kept.length} records`)
  assert.equal(queue.dropped, 0)
  const rest = kept.find(({ count }) => count > 20_000)!
  assert.deepEqual([rest.ip, rest.client, rest.reason], ['', '', 'many sources'])
})

test('a caller who has proved who it is has a record of every refusal', () => {
  const kept: RecordFields[] = []
  const queue = createRecordQueue({ now: () => START })
  queue.attach((batch) => kept.push(...decodeBatch(batch)))
  for (let i = 0; i < 200; i++)
    queue.add(refused({ credentialId: 'key_1', code: 'endpoint_not_allowed', stoppedAt: 11 }))
  queue.end()
  assert.equal(kept.length, 200)
})
