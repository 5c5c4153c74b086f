import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { eventually } from '../../test/support/eventually.ts'
import { createClock, createClockCell, moveClock } from '../base/clock.ts'
import { paced } from './stdio-process.ts'
import { createTimers } from './timers.ts'

const FLOODS: Readonly<Record<string, string>> = {
  'a long line': 'x'.repeat(70_000),
  'short lines': 'a\n'.repeat(20_000),
  'empty lines': '\n'.repeat(20_000),
}
for (const [what, text] of Object.entries(FLOODS))
  test(`a stream that is flooded with ${what} is read on in the next second`, async () => {
    const cell = createClockCell()
    const clock = createClock(cell)
    const timers = createTimers(clock, 1)
    const stream = new PassThrough({ highWaterMark: 1024 ** 2 })
    const taken: number[] = []
    paced(stream, 65_536, timers, clock, ({ length }) => taken.push(length))
    for (const piece of [text, text]) stream.write(piece)
    await eventually(() => taken.length > 0)
    assert.deepEqual([taken, stream.isPaused()], [[text.length], true])
    moveClock(cell, 1000)
    await eventually(() => taken.length === 2)
    timers.close()
  })

test('a stream with fewer lines than that is read without a pause', async () => {
  const clock = createClock(createClockCell())
  const timers = createTimers(clock, 1)
  const stream = new PassThrough()
  let bytes = 0
  paced(stream, 65_536, timers, clock, ({ length }) => {
    bytes += length
  })
  stream.write('abc\n'.repeat(5000))
  await eventually(() => bytes === 20_000)
  assert.equal(stream.isPaused(), false)
  timers.close()
})
