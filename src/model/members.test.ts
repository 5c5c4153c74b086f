import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { HeaderName, jsonValue, momentOf, When } from './members.ts'

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

test("a header of framing, forwarding or identity is not an operator's to set, in any case", () => {
  for (const name of ['Host', 'content-length', 'Transfer-Encoding', 'TE', 'Connection', 'Expect', 'Upgrade'])
    assert.equal(HeaderName.safeParse(name).success, false, name)
  for (const name of [
    'X-Request-ID',
    'X-Forwarded-For',
    'x-forwarded-host',
    'X-Postern-Client',
    'TraceParent',
  ])
    assert.equal(HeaderName.safeParse(name).success, false, name)
  for (const name of ['', 'a b', 'a:b', 'ä', 'x'.repeat(129)])
    assert.equal(HeaderName.safeParse(name).success, false, name)
  for (const name of ['X-Tenant', 'authorization', 'x'.repeat(128)])
    assert.equal(HeaderName.safeParse(name).success, true, name)
})
