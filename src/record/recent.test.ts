import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { recordFields } from '../../test/programs/record-fields.ts'
import type { RecordBlock } from '../store/ports/records.ts'
import { createBatchWriter } from './batch.ts'
import { toBlock } from './block.ts'
import type { RecordFilter } from './record-selection.ts'
import { createRecentRecords } from './recorder.ts'

const ALL: RecordFilter = { order: 'newest', limit: 50 }

function blockOf(ids: readonly string[], status = 200): RecordBlock {
  const writer = createBatchWriter(ids.length, true)
  for (const id of ids) writer.add(recordFields({ id, status }))
  return toBlock(writer.take(), null)
}
const idsOf = ({ items }: { readonly items: readonly { readonly id: string }[] }): string[] =>
  items.map(({ id }) => id)

test('a follower gets each record that fits once, in the order of storing, over answers of any length', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(fc.integer({ min: 1, max: 5 }), fc.constantFrom(200, 404), fc.integer({ min: 0, max: 4 })),
        { maxLength: 12 },
      ),
      fc.integer({ min: 1, max: 7 }),
      fc.constantFrom(undefined, '4xx'),
      (blocks, limit, status) => {
        const recent = createRecentRecords()
        const filter = { ...ALL, limit, ...(status !== undefined && { status }) }
        let cursor = recent.read(filter).next_cursor
        const seen: string[] = []
        const read = (): number => {
          const page = recent.read({ ...filter, cursor })
          assert.equal(page.missed, false)
          cursor = page.next_cursor
          seen.push(...idsOf(page))
          return page.items.length
        }
        const expected: string[] = []
        for (const [at, [rows, code, reads]] of blocks.entries()) {
          const ids = Array.from({ length: rows }, (_, row) => `req_${at}_${row}`)
          recent.add([blockOf(ids, code)])
          if (status === undefined || code === 404) expected.push(...ids)
          for (let n = 0; n < reads; n++) read()
        }
        while (read() > 0);
        assert.deepEqual(seen, expected)
      },
    ),
    { numRuns: 300 },
  )
})

test('the oldest blocks make room, and a follower that was slower is told that it missed some', () => {
  const one = blockOf(['a'])
  const bytes = one.words.length + one.numbers.length + one.text.length
  const recent = createRecentRecords(2 * bytes)
  const { next_cursor: cursor } = recent.read(ALL)
  recent.add([one, blockOf(['b'])])
  assert.deepEqual(idsOf(recent.read({ ...ALL, cursor })), ['a', 'b'])
  recent.add([blockOf(['c'])])
  const late = recent.read({ ...ALL, cursor })
  assert.deepEqual([idsOf(late), late.missed], [['b', 'c'], true])
  const next = recent.read({ ...ALL, cursor: late.next_cursor })
  assert.deepEqual([idsOf(next), next.missed], [[], false])
})

test('what was deleted is not shown, and followers are told that they missed some', () => {
  const recent = createRecentRecords()
  const { next_cursor: cursor } = recent.read(ALL)
  recent.add([blockOf(['a'])])
  const { next_cursor: after } = recent.read({ ...ALL, cursor })
  recent.clear()
  recent.add([blockOf(['b'])])
  for (const given of [cursor, after]) {
    const page = recent.read({ ...ALL, cursor: given })
    assert.deepEqual([idsOf(page), page.missed], [['b'], true])
  }
})

test('a cursor of another process, or no cursor at all, begins with what is kept and says that some were missed', () => {
  const recent = createRecentRecords()
  recent.add([blockOf(['a', 'b'])])
  const { next_cursor: foreign } = createRecentRecords().read(ALL)
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.constantFrom(foreign, '..', 'x.1.-1', '1.0.0')), (cursor) => {
      const page = recent.read({ ...ALL, cursor })
      assert.deepEqual([idsOf(page), page.missed], [['a', 'b'], true])
    }),
  )
})

test('a follower that waits gets the first record that fits, and nothing when the time is over', async () => {
  const recent = createRecentRecords()
  const { next_cursor: cursor } = recent.read(ALL)
  const waiting = recent.follow({ ...ALL, status: '404', cursor }, 60_000)
  recent.add([blockOf(['a'])])
  await new Promise(setImmediate)
  recent.add([blockOf(['b'], 404)])
  assert.deepEqual(idsOf(await waiting), ['b'])
  const none = await recent.follow({ ...ALL, cursor: recent.read(ALL).next_cursor }, 1)
  assert.deepEqual([idsOf(none), none.missed], [[], false])
})
