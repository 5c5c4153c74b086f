import assert from 'node:assert/strict'
import { test } from 'node:test'
import { momentOf, When } from './time.ts'

test('a time to filter by is absolute, a date, now, or back from now, and nothing else', () => {
  const now = Date.parse('2026-05-20T12:00:00Z')
  for (const [when, moment] of [
    ['now', '2026-05-20T12:00:00.000Z'],
    ['-30d', '2026-04-20T12:00:00.000Z'],
    ['-90m', '2026-05-20T10:30:00.000Z'],
    ['2026-05-01', '2026-05-01T00:00:00.000Z'],
    ['2026-05-01T02:00:00+02:00', '2026-05-01T00:00:00.000Z'],
    ['-999999999d', '1970-01-01T00:00:00.000Z'],
  ] as const) {
    assert.ok(When.safeParse(when).success, when)
    assert.equal(new Date(momentOf(when, now)).toISOString(), moment)
  }
  for (const other of [
    '',
    '30d',
    '-30',
    '-0d',
    '--1d',
    'yesterday',
    '2026-02-31',
    '2026-05-01T00:00:00',
    '1',
  ])
    assert.equal(When.safeParse(other).success, false, other)
})
