import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordFields } from '../../test/programs/record-fields.ts'
import type { RecordBatch } from './batch.ts'
import { decodeBatch } from './block.ts'
import { createRecordSink } from './sink.ts'

test('a batch is handed over when it is full, and the rest when asked', () => {
  const batches: RecordBatch[] = []
  const sink = createRecordSink({ batchRows: 10 })
  sink.attach((batch) => batches.push(batch))
  for (let i = 0; i < 25; i++) sink.add(recordFields({ id: `r${i}` }))
  assert.deepEqual(
    batches.map(({ rows }) => rows),
    [10, 10],
  )
  sink.flush()
  assert.deepEqual(
    batches.flatMap(decodeBatch).map(({ id }) => id),
    Array.from({ length: 25 }, (_, i) => `r${i}`),
  )
})

test('what is gathered is handed over soon without being asked', async () => {
  const sink = createRecordSink()
  const handed = new Promise<RecordBatch>((done) => sink.attach(done))
  sink.add(recordFields())
  // The sink's timer does not keep a process alive.
  const alive = setInterval(() => {}, 1000)
  assert.equal((await handed).rows, 1)
  clearInterval(alive)
})

test('beyond the bound of batches underway records are dropped and counted, and none is lost after that', () => {
  const ids: string[] = []
  const sink = createRecordSink({ batchRows: 10, batchesMax: 3 })
  sink.attach((batch) => ids.push(...decodeBatch(batch).map(({ id }) => id)))
  for (let i = 0; i < 100; i++) sink.add(recordFields({ id: `r${i}` }))
  assert.equal(ids.length, 30)
  assert.equal(sink.dropped, 60, 'three batches underway, one gathered')
  sink.taken(1)
  assert.equal(ids.length, 40, 'the gathered one goes as soon as there is room')
  sink.taken(3)
  sink.add(recordFields({ id: 'later' }))
  sink.flush()
  assert.equal(ids.at(-1), 'later')
  assert.equal(sink.dropped, 60)
})

test('what was underway to a recorder that died is counted as dropped, and the next one gets what follows', () => {
  const ids: string[] = []
  const sink = createRecordSink({ batchRows: 10 })
  sink.attach(() => {})
  for (let i = 0; i < 15; i++) sink.add(recordFields({ id: `r${i}` }))
  sink.attach(null)
  assert.equal(sink.dropped, 10)
  for (let i = 15; i < 40; i++) sink.add(recordFields({ id: `r${i}` }))
  assert.equal(sink.dropped, 30, 'one batch is held, the rest does not fit')
  sink.attach((batch) => ids.push(...decodeBatch(batch).map(({ id }) => id)))
  assert.deepEqual(
    ids,
    Array.from({ length: 10 }, (_, i) => `r${i + 10}`),
  )
})

test('long paths do not pile up: a batch also ends by its text', () => {
  const rows: number[] = []
  const sink = createRecordSink({ batchRows: 1024 })
  sink.attach((batch) => rows.push(batch.rows))
  for (let i = 0; i < 100; i++) sink.add(recordFields({ path: `/${'a'.repeat(16_000)}` }))
  assert.ok(rows.length >= 2 && rows[0]! < 50, `batches of ${rows}`)
})
