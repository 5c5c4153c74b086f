import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Resumption } from './reader.ts'

test('a stream without an id is not taken up again', () => {
  assert.equal(new Resumption().next(null), null)
})

test('the origin says how long to wait, within bounds', () => {
  for (const [retryMs, waitMs] of [
    [null, 1000],
    [0, 10],
    [50, 50],
    [3_600_000, 30_000],
  ] as const)
    assert.deepEqual(new Resumption().next({ lastId: 'a', retryMs }), { lastId: 'a', waitMs })
})

test('attempts that bring nothing end; a new event begins them anew, up to a bound of all', () => {
  const inVain = new Resumption()
  inVain.next({ lastId: 'a', retryMs: null })
  for (let n = 0; n < 4; n++) assert.equal(inVain.next(null)?.lastId, 'a')
  assert.equal(inVain.next(null), null)
  const going = new Resumption()
  for (let n = 0; n < 100; n++) assert.equal(going.next({ lastId: `${n}`, retryMs: 0 })?.lastId, `${n}`)
  assert.equal(going.next({ lastId: 'more', retryMs: 0 }), null)
})

test('an id that does not fit into a header is not sent back', () => {
  for (const lastId of ['a\r\nx: y', 'ä', ' a', 'x'.repeat(1025)])
    assert.equal(new Resumption().next({ lastId, retryMs: 0 }), null)
})
