import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { holdThread, turnsDuring } from '../../../test/support/main-thread.ts'
import { inSlices, jsonText, pauseOfLongTurn, withoutPause } from './time-slices.ts'

test('work in turns lets the event loop go on, and comes to the same end as at once', async () => {
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  function* work(): Generator<void, number> {
    for (let piece = 0; piece < 20; piece++) {
      const until = performance.now() + 6
      while (performance.now() < until);
      yield
    }
    return turns
  }
  const meanwhile = await inSlices(work())
  clearInterval(timer)
  assert.ok(meanwhile >= 10, `${meanwhile} turns`)
  assert.equal(withoutPause(jsonText([1, 2], 3)), '[1,2]')
})

test('text in pieces is the text of JSON.stringify', () => {
  const value = { a: { b: { c: [1, { d: null }], 'q"': 'x\n' }, e: undefined, f: 0 }, g: [], h: null, i: {} }
  for (let depth = 0; depth < 5; depth++)
    assert.equal(withoutPause(jsonText(value, depth)), JSON.stringify(value))
})

test('a step pauses once its turn has lasted a slice, and not in a turn that is young', async () => {
  await nextTurn()
  assert.equal(pauseOfLongTurn(), undefined)
  assert.equal(pauseOfLongTurn(), undefined)
  holdThread()
  const pause = pauseOfLongTurn()
  assert.ok(pause !== undefined)
  await pause
  assert.equal(pauseOfLongTurn(), undefined)
})

test('of many steps that wait at once, each turn does as many as a slice has room for', async () => {
  const step = async (): Promise<void> => {
    for (let pause = pauseOfLongTurn(); pause !== undefined; pause = pauseOfLongTurn()) await pause
    holdThread()
  }
  const turns = await turnsDuring(() => Promise.all(Array.from({ length: 10 }, step)))
  assert.ok(turns >= 9, `${turns} turns`)
})
