import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { jsonValue } from './json-value.ts'

const VALUES: readonly unknown[] = [
  null,
  'text',
  1.5,
  true,
  [],
  {},
  { a: [1, { b: null }], c: 'x' },
  JSON.parse('{"a": {"__proto__": {"b": 1}}}'),
  Number.NaN,
  Number.POSITIVE_INFINITY,
  undefined,
  [undefined],
  { a: undefined },
  new Date(0),
  { a: new Map() },
  () => {},
]

test('it accepts, refuses and gives what the schema of the library does, for any value', () => {
  const [own, theirs] = [jsonValue(), z.json()]
  for (const value of VALUES) {
    const [given, expected] = [own.safeParse(value), theirs.safeParse(value)]
    assert.equal(given.success, expected.success, String(value))
    assert.deepEqual(given.data, expected.data)
    assert.equal(JSON.stringify(given.error?.issues), JSON.stringify(expected.error?.issues))
  }
  assert.deepEqual(z.toJSONSchema(own), z.toJSONSchema(theirs))
})

test('inside of other schemas it is the same, and what it does not accept is named by its place', () => {
  const schema = z.object({ values: z.record(z.string(), jsonValue()), one: jsonValue().optional() })
  const value = { values: { a: [1, 2], b: { c: 'd' } } }
  assert.deepEqual(schema.parse(value), value)
  const refused = schema.safeParse({ values: { a: Number.NaN } })
  assert.deepEqual(refused.error?.issues[0]?.path, ['values', 'a'])
})
