import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Clock } from '../../../base/clock.ts'
import { createTaskIds } from './task-calls.ts'

const KEY = new Uint8Array(32).fill(1)
const PLACE = { member: 'ori_demo', tool: 'slow', id: 'task-1', session: 's', isModern: false }
const DAY_MS = 24 * 3_600_000

let now = 0
const clock: Clock = { now: () => now, monotonic: () => now }

test('an id is opened by the principal and virtual MCP that it was sealed for, and by no other', () => {
  const ids = createTaskIds(KEY, 'vmc_a', clock)
  const id = ids.seal('acme/key', PLACE, 60_000)!
  assert.deepEqual(ids.open('acme/key', id), PLACE)
  assert.equal(ids.open('acme/other', id), null)
  assert.equal(createTaskIds(KEY, 'vmc_b', clock).open('acme/key', id), null)
  assert.equal(createTaskIds(new Uint8Array(32), 'vmc_a', clock).open('acme/key', id), null)
  assert.doesNotMatch(id, /task-1/)
})

test('an id holds for a day at least, as long as its task, and for 30 days at most', () => {
  const ids = createTaskIds(KEY, 'vmc_a', clock)
  for (const [ttlMs, holdsMs] of [
    [1000, DAY_MS],
    [2 * DAY_MS, 2 * DAY_MS],
    [400 * DAY_MS, 30 * DAY_MS],
    [null, 30 * DAY_MS],
  ] as const) {
    now = 0
    const id = ids.seal('acme/key', PLACE, ttlMs)!
    now = holdsMs
    assert.notEqual(ids.open('acme/key', id), null)
    now = holdsMs + 1
    assert.equal(ids.open('acme/key', id), null)
  }
})

test('a place that is too long for a header has no id', () => {
  const ids = createTaskIds(KEY, 'vmc_a', clock)
  assert.equal(ids.seal('acme/key', { ...PLACE, id: '\u0001'.repeat(512) }, 1000), null)
  assert.notEqual(
    ids.seal('acme/key', { ...PLACE, id: 'x'.repeat(512), session: 'y'.repeat(512) }, 1000),
    null,
  )
})

test('whatever a client makes up opens nothing', () => {
  const ids = createTaskIds(KEY, 'vmc_a', clock)
  const id = ids.seal('acme/key', PLACE, null)!
  fc.assert(fc.property(fc.string(), (text) => ids.open('acme/key', text) === null))
  fc.assert(
    fc.property(fc.nat(id.length - 2), fc.constantFrom('A', 'b', '0', '_'), (at, char) => {
      const changed = `${id.slice(0, at)}${char}${id.slice(at + 1)}`
      return changed === id || ids.open('acme/key', changed) === null
    }),
  )
})
