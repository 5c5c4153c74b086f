import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeMirrored, encodeMirrored } from './modern.ts'

test('the examples of the specification decode', () => {
  for (const [header, value] of [
    ['us-west1', 'us-west1'],
    ['=?base64?SGVsbG8sIOS4lueVjA==?=', 'Hello, 世界'],
    ['=?base64?IHBhZGRlZCA=?=', ' padded '],
    ['=?base64?bGluZTEKbGluZTI=?=', 'line1\nline2'],
    ['=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=', '=?base64?literal?='],
  ] as const) {
    assert.equal(decodeMirrored(header), value)
    assert.equal(encodeMirrored(value), header)
  }
})

test('bad padding, foreign characters and bytes that are no UTF-8 are refused', () => {
  for (const header of [
    '=?base64?SGVsbG8?=',
    '=?base64?SGVsbG8=\n?=',
    '=?base64?SGVs bG8=?=',
    '=?base64?SGVsbG9=?=',
    '=?base64?_-__?=',
    '=?base64?/w==?=',
    'caf\u00e9',
    ' padded',
    'a\u0007b',
  ])
    assert.equal(decodeMirrored(header), null, header)
})

test('the markers are case-sensitive', () => {
  assert.equal(decodeMirrored('=?BASE64?SGVsbG8=?='), '=?BASE64?SGVsbG8=?=')
})

test('every value survives the way there and back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (value) => {
      const header = encodeMirrored(value)
      assert.match(header, /^[\t -~]*$/)
      assert.equal(decodeMirrored(header), value)
    }),
  )
})

test('arbitrary headers never throw, and what decodes is what was meant', () => {
  const wrapped = fc.string().map((text) => `=?base64?${text}?=`)
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        wrapped,
        fc.base64String().map((text) => `=?base64?${text}?=`),
      ),
      (header) => {
        const value = decodeMirrored(header)
        if (value === null || !header.startsWith('=?base64?')) return
        assert.equal(`=?base64?${Buffer.from(value).toString('base64')}?=`, header)
      },
    ),
  )
})
