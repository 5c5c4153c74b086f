import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listPlace } from './style.ts'

const input = (top: number) => ({ top, bottom: top + 32, left: 20, width: 300 })

test('a list stands below its input, no higher than what is left of the window', () => {
  assert.deepEqual(listPlace(input(100), 900), { left: 20, width: 300, top: 136, maxHeight: 240 })
  assert.deepEqual(listPlace(input(600), 844), { left: 20, width: 300, top: 636, maxHeight: 200 })
})

test('where there is little room below and more above, it stands above', () => {
  assert.deepEqual(listPlace(input(780), 844), { left: 20, width: 300, bottom: 68, maxHeight: 240 })
  assert.deepEqual(listPlace(input(40), 200), { left: 20, width: 300, top: 76, maxHeight: 116 })
})
