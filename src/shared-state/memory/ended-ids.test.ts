import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createEpochCell, createKeyMemory, openEndedIds } from './key-memory.ts'

test('the end of an id is either remembered, or all threads hear that one was not', () => {
  const [keys, cell] = [createKeyMemory(32), createEpochCell()]
  const [main, thread] = [openEndedIds(keys, cell), openEndedIds(keys, cell)]
  for (let n = 0; n < 32; n++) main.end(`con_${n}`, 1000, 1000)
  assert.equal(thread.epoch(), 0)
  for (let n = 0; n < 32; n++) assert.ok(thread.has(`con_${n}`, 1000))
  main.end('con_more', 1000, 1000)
  assert.deepEqual([thread.has('con_more', 1000), thread.epoch()], [false, 1])
})

test('an end is remembered for as long as what was told before the clock was set back', () => {
  const ids = openEndedIds(createKeyMemory(32), createEpochCell())
  ids.vouched(5000)
  ids.end('grant', 100, 1000)
  assert.deepEqual(
    [ids.has('grant', 1000), ids.has('grant', 5099), ids.has('grant', 5100)],
    [true, true, false],
  )
})
