import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTombstoneCells, createTombstones } from './key-memory.ts'
import { createThreadEvents } from './shared-cells.ts'

test('an ended session is known to every thread that shares the cells', () => {
  const cells = createTombstoneCells()
  const one = createTombstones(
    cells,
    createThreadEvents(() => {}),
  )
  const other = createTombstones(
    cells,
    createThreadEvents(() => {}),
  )
  one.add('session-a')
  assert.equal(other.has('session-a'), true)
  assert.equal(other.has('session-b'), false)
})

test('the table stays bounded and still knows the newest ends when it overflows', () => {
  const tombstones = createTombstones(
    createTombstoneCells(),
    createThreadEvents(() => {}),
  )
  for (let i = 0; i < 50_000; i++) tombstones.add(`session-${i}`)
  tombstones.add('the-last')
  assert.equal(tombstones.has('the-last'), true)
  let early = 0
  for (let i = 0; i < 10_000; i++) if (tombstones.has(`session-${i}`)) early++
  assert.ok(early < 5000, `${early} of the earliest are known`)
})
