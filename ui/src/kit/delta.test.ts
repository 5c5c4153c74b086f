import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deltaOf } from './delta.ts'

test('a figure is compared with the period before in words', () => {
  assert.equal(deltaOf(150, 100), '50 % more than before')
  assert.equal(deltaOf(50, 100), '50 % less than before')
  assert.equal(deltaOf(100, 100), 'as before')
  assert.equal(deltaOf(2000, 100), '20 times as before')
  assert.equal(deltaOf(5, null), null)
})

test('where there was nothing before, that is said', () => {
  assert.equal(deltaOf(5, 0), 'none before')
  assert.equal(deltaOf(0, 0), 'as before')
  assert.equal(deltaOf(5, 'none'), 'no requests before')
  assert.equal(deltaOf(null, 'none'), 'no requests before')
})
