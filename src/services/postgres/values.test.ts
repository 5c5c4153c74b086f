import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fuzzCases } from '../../../test/support/long.ts'
import { arrayOf, valueReader } from './session.ts'

type Nested = string | null | readonly Nested[]

/** As PostgreSQL writes it. */
function written(value: Nested): string {
  if (value === null) return 'NULL'
  if (typeof value !== 'string') return `{${value.map(written).join(',')}}`
  return /^[a-z0-9]+$/.test(value) ? value : `"${value.replace(/[\\"]/g, '\\$&')}"`
}

const item = fc.oneof(fc.constant(null), fc.string(), fc.constantFrom('NULL', '{}', ',', '"', '\\'))
const list = fc.oneof(fc.array(item), fc.array(fc.array(item, { minLength: 1 }), { minLength: 1 }))

test('an array is read as it was written', () => {
  fc.assert(
    fc.property(list, (values) => {
      assert.deepEqual(
        arrayOf(written(values), (text) => text),
        values,
      )
      assert.deepEqual(
        arrayOf(`[0:9]=${written(values)}`, (text) => text),
        values,
      )
    }),
    { numRuns: fuzzCases(500, 20_000) },
  )
})

test('any text is an array or stays as it is', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[{}",a\\=[\]NUL]{0,20}$/), (text) => {
      const read = arrayOf(text, (one) => one)
      assert.ok(read === text || Array.isArray(read))
    }),
    { numRuns: fuzzCases(2000, 200_000) },
  )
})

test('values keep what JSON can say, and the rest is text', () => {
  for (const [type, text, value] of [
    [20, '9007199254740991', 9007199254740991],
    [20, '9007199254740992', '9007199254740992'],
    [701, '-Infinity', '-Infinity'],
    [701, '1e-7', 1e-7],
    [1700, '1.10', '1.10'],
    [16, 'f', false],
    [17, '\\x', ''],
    [1184, '2026-05-01 00:00:00.25+00', '2026-05-01T00:00:00.25Z'],
    [1184, '0044-03-15 00:00:00+00 BC', '0044-03-15 00:00:00+00 BC'],
    [1114, 'infinity', 'infinity'],
    [199, '{"{\\"a\\": 1}",NULL}', [{ a: 1 }, null]],
    [600, '(1,2)', '(1,2)'],
  ] as const)
    assert.deepEqual(valueReader(type)(text), value, text)
})
