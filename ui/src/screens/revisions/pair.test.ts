import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chosenPair } from './pair.ts'

test('two revisions are compared from the earlier one to the later one, in whichever order they are chosen', () => {
  const first = chosenPair({ from: undefined, to: undefined }, 'from', 7)
  assert.deepEqual(first, { from: '7', to: undefined })
  assert.deepEqual(chosenPair(first, 'to', 10), { from: '7', to: '10' })
  assert.deepEqual(chosenPair(first, 'to', 3), { from: '3', to: '7' })
})
