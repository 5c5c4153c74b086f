import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inSlices, jsonText, withoutPause } from './time-slices.ts'

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
