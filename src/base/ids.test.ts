import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newTraceParent, passedTraceParent } from './ids.ts'

test('new ones are valid and never alike, over the blocks in which they are drawn', () => {
  const made = Array.from({ length: 1000 }, newTraceParent)
  for (const part of [(one: string) => one.split('-')[1], (one: string) => one.split('-')[2]])
    assert.equal(new Set(made.map(part)).size, made.length)
  for (const one of made) assert.equal(passedTraceParent(one), one)
})
