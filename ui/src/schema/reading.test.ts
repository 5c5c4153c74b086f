import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readingOf } from './reading.ts'

test('durations, sizes and fractions are read as people say them', () => {
  assert.equal(readingOf('duration', '5m'), '5 minutes')
  assert.equal(readingOf('duration', '1h'), '1 hour')
  assert.equal(readingOf('bytes', 10_485_760), '10 MiB')
  assert.equal(readingOf('bytes', 1536), '1.5 KiB')
  assert.equal(readingOf('fraction', 0.8), '80 %')
})

test('what is no value of its unit has no reading', () => {
  assert.equal(readingOf('duration', 'soon'), null)
  assert.equal(readingOf('bytes', 12), null)
  assert.equal(readingOf('bytes', 'many'), null)
  assert.equal(readingOf(null, '5m'), null)
})
