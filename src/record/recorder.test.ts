import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { recordFields } from '../../test/programs/record-fields.ts'
import { eventually } from '../../test/support/eventually.ts'
import { createClock, createClockCell, jumpClock, moveClock } from '../base/clock.ts'
import { openLastingRecordStore } from '../store/sqlite/lasting-records.ts'
import { openRecordReader } from '../store/sqlite/record-reader.ts'
import { createBatchWriter } from './batch.ts'
import { toBlock } from './block.ts'
import { startRecording } from './recorder.ts'

const DAY = 86_400_000
/** Longer than the recorder waits between two looks at what is too old. */
const TURN_MS = 10 * 60_000
const EVERYTHING = { fromMs: -Infinity, toMs: Infinity, words: [], classes: 0xffff, agentsOnly: false }

test('a clock that jumps far ahead and back deletes no record; those that are too old by the time that has passed go', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const directory = mkdtempSync(join(tmpdir(), 'postern-recorder-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'records.db')
  const store = openLastingRecordStore(path)
  const cell = createClockCell()
  const clock = createClock(cell)
  const writer = createBatchWriter(1, true)
  writer.add(recordFields({ id: 'kept', timeMs: clock.now() }))
  await store.append([toBlock(writer.take(), null)])
  const setup = { environment: null, nodes: null, retentionMs: 30 * DAY, bytesMax: Number.POSITIVE_INFINITY }
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  const tell = await startRecording(setup, {
    ...{ store, counters: null, clock },
    toMain: () => {},
    ended: resolve,
  })
  const count = async (): Promise<number> => {
    const reader = openRecordReader(path)
    let blocks = 0
    await reader.scan(EVERYTHING, () => ++blocks > 0)
    await reader.close()
    return blocks
  }
  const turn = async (): Promise<number> => {
    t.mock.timers.tick(TURN_MS)
    // Questions are answered in the order in which they came
    const { promise, resolve: flushed } = Promise.withResolvers<void>()
    tell({ kind: 'flush', id: 1 })
    setImmediate(flushed)
    await promise
    return count()
  }
  for (const jump of [500 * DAY, -500 * DAY]) {
    jumpClock(cell, jump)
    assert.equal(await turn(), 1)
    jumpClock(cell, -jump)
    assert.equal(await turn(), 1)
  }
  moveClock(cell, 31 * DAY)
  await eventually(async () => (await turn()) === 0)
  tell({ kind: 'stop' })
  await ended
})
