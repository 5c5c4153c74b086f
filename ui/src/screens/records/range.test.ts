import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pinned } from './range.ts'

const NOW = Date.UTC(2026, 4, 1, 12)

test('a link to a relative range has absolute times, the same filters, and no live view', () => {
  assert.deepEqual(pinned({ from: '-1h', status: '4xx', live: 'true' }, NOW), {
    from: '2026-05-01T11:00:00.000Z',
    to: '2026-05-01T12:00:00.000Z',
    status: '4xx',
  })
})

test('a link to a list without a range ends now, and absolute times stay', () => {
  assert.deepEqual(pinned({}, NOW), { to: '2026-05-01T12:00:00.000Z' })
  const absolute = { from: '2026-04-01', to: '2026-04-02T00:00:00Z' }
  assert.deepEqual(pinned(absolute, NOW), absolute)
})
