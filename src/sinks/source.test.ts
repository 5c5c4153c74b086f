import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { recordFields } from '../../test/programs/record-fields.ts'
import { createBatchWriter } from '../record/batch.ts'
import { mergeBlocks, toBlock } from '../record/block.ts'
import { openRecordReader } from '../store/sqlite/record-reader.ts'
import { openRecordStore } from '../store/sqlite/records.ts'
import type { Position } from './port.ts'
import { createRecordSource, type Source } from './source.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-source-'))
after(() => rmSync(directory, { recursive: true, force: true }))
const NOW = 1_800_000_000_000

const block = (ids: readonly string[], its: object = {}) => {
  const writer = createBatchWriter(ids.length)
  for (const id of ids) writer.add(recordFields({ id, timeMs: NOW, ...its }))
  return toBlock(writer.take())
}

/** All ids from a position on, and the position after them. */
async function drain(source: Source, from: Position) {
  const ids: string[] = []
  let position = from
  for (;;) {
    const found = await source.next(position)
    if (found === null) return { ids, position }
    ids.push(...found.events.map(({ id }) => id))
    position = found.position
  }
}

test('records follow in their order over merges, with filters, and a block that is half sent goes on at its row', async () => {
  const path = join(directory, 'a.db')
  const store = openRecordStore(path)
  const reader = openRecordReader(path)
  const source = createRecordSource(reader, {})
  const many = Array.from({ length: 1200 }, (_, n) => `m${n}`)
  await store.append([block(['a', 'b']), block(['c'], { status: 503 }), block(many), block(['z'])])
  const first = await source.next({ since: 0 })
  assert.equal(first!.events.length, 500)
  assert.equal(first!.position.block?.rows, 497)
  const all = await drain(source, { since: 0 })
  assert.deepEqual(all.ids, ['a', 'b', 'c', ...many, 'z'])
  assert.equal(await source.next(all.position), null)
  assert.deepEqual((await drain(createRecordSource(reader, { status: '5xx' }), { since: 0 })).ids, ['c'])
  assert.deepEqual((await drain(source, { since: NOW + 1 })).ids, [], 'nothing from before')

  // As the recorder does: counted, then merged
  const blocks = await store.rollups.uncounted(100)
  await store.rollups.save(
    { rows: [], words: [], uncarried: [], carried: [] },
    blocks.map(({ id }) => id),
  )
  const small = await store.small(128, 32, null, true)
  await store.replace(
    small.map(({ id }) => id),
    mergeBlocks(small),
  )
  assert.equal(await source.next(all.position), null, 'a merge gives nothing again')
  const rest = await drain(source, first!.position)
  assert.deepEqual(
    new Set(['a', 'b', 'c', ...many.slice(0, 497), ...rest.ids]).size,
    1204,
    'and loses nothing',
  )
  await reader.close()
  await store.close()
})

test('another store is sent from its beginning, and what retention has deleted before is told', async () => {
  const path = join(directory, 'b.db')
  const store = openRecordStore(path)
  const reader = openRecordReader(path)
  const source = createRecordSource(reader, {})
  await store.append([block(['a']), block(['b'])])
  const elsewhere = { since: 0, store: 'another', after: 900 }
  assert.deepEqual((await drain(source, elsewhere)).ids, ['a', 'b'])
  const blocks = await store.rollups.uncounted(100)
  await store.rollups.save(
    { rows: [], words: [], uncarried: [], carried: [] },
    blocks.map(({ id }) => id),
  )
  await store.prune(NOW + 10, 1)
  const late = await source.next({ since: NOW - 1000 })
  assert.deepEqual([late!.missedUntil, late!.events.length], [NOW, 1])
  assert.equal(await source.next(late!.position), null, 'once')
  await reader.close()
  await store.close()
})
