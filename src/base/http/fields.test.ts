import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseHttpDate } from './fields.ts'

const NOW = Date.UTC(2026, 2, 4, 12)
const EXAMPLE = Date.UTC(1994, 10, 6, 8, 49, 37)

test('a date is read in the three forms of HTTP', () => {
  assert.equal(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT', NOW), EXAMPLE)
  assert.equal(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT', NOW), EXAMPLE)
  assert.equal(parseHttpDate('Sun Nov  6 08:49:37 1994', NOW), EXAMPLE)
  assert.equal(parseHttpDate('Thu Nov 16 08:49:37 1994', NOW), EXAMPLE + 10 * 86_400_000)
  assert.equal(parseHttpDate('Thu, 01 Jan 1970 00:00:00 GMT', NOW), 0)
  // A year of two digits that would be more than 50 years ahead is past.
  assert.equal(parseHttpDate('Sunday, 06-Nov-77 08:49:37 GMT', NOW), Date.UTC(1977, 10, 6, 8, 49, 37))
  assert.equal(parseHttpDate('Friday, 06-Nov-76 08:49:37 GMT', NOW), Date.UTC(2076, 10, 6, 8, 49, 37))
})

test('what is no date is none', () => {
  for (const text of [
    '',
    '0',
    '-1',
    'now',
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 08:49:37 +0000',
    'sun, 06 nov 1994 08:49:37 gmt',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 08:60:00 GMT',
    'Sun, 06 Nov 1994 08:49:61 GMT',
    'Wed, 30 Feb 1994 08:49:37 GMT',
    'Sun, 00 Nov 1994 08:49:37 GMT',
    'Sun, 06 Foo 1994 08:49:37 GMT',
    'Sun, 06 Nov 19940 08:49:37 GMT',
    '1994-11-06T08:49:37Z',
    'Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT',
  ])
    assert.equal(parseHttpDate(text, NOW), null, text)
})

test('every date that is written is read, and no text is read as something else than a time', () => {
  const second = fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) / 1000 })
  fc.assert(
    fc.property(second, (at) =>
      assert.equal(parseHttpDate(new Date(at * 1000).toUTCString(), NOW), at * 1000),
    ),
  )
  const piece = fc.constantFrom(
    'Sun',
    ', ',
    '06',
    ' ',
    'Nov',
    '-',
    '1994',
    '94',
    '08:49:37',
    ' GMT',
    '99',
    '\0',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece, { maxLength: 12 }).map((all) => all.join('')),
      ),
      (text) => {
        const read = parseHttpDate(text, NOW)
        assert.ok(read === null || Number.isSafeInteger(read))
      },
    ),
  )
})
