import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyJson } from '../../../test/support/any-json.ts'
import type { Members } from '../protocol/message.ts'
import { mirroredLines, mirroredMismatch, mirroredParams } from './envelope.ts'

const SCHEMA: Members = {
  type: 'object',
  properties: {
    region: { type: 'string', 'x-mcp-header': 'Region' },
    priority: { type: 'integer', 'x-mcp-header': 'Priority' },
    options: { type: 'object', properties: { dry: { type: 'boolean', 'x-mcp-header': 'Dry-Run' } } },
    query: { type: 'string' },
  },
}
const PARAMS = mirroredParams(SCHEMA)

const mismatch = (given: Members, headers: Readonly<Record<string, string>>): string | null =>
  mirroredMismatch(PARAMS, given, (name) => headers[name])

test('an argument with a value needs its header, and one without it must have none', () => {
  assert.equal(mismatch({}, {}), null)
  assert.equal(mismatch({ region: null, options: null, query: 'q' }, {}), null)
  assert.equal(mismatch({ region: 'eu' }, {}), 'Mcp-Param-Region is missing')
  assert.equal(mismatch({ region: '' }, {}), 'Mcp-Param-Region is missing')
  assert.equal(mismatch({ options: { dry: false } }, {}), 'Mcp-Param-Dry-Run is missing')
  const differs = 'Mcp-Param-Region differs from params.arguments.region'
  assert.equal(mismatch({}, { 'mcp-param-region': 'eu' }), differs)
  assert.equal(mismatch({ region: null }, { 'mcp-param-region': 'null' }), differs)
  assert.equal(mismatch({ region: ['eu'] }, { 'mcp-param-region': 'eu' }), differs)
  assert.equal(mismatch({}, { 'mcp-param-query': 'a tool of the caller’s own' }), null)
})

test('text compares exactly, numbers as numbers, and what cannot be decoded is malformed', () => {
  const same = (given: Members, name: string, value: string): boolean =>
    mismatch(given, { [`mcp-param-${name}`]: value }) === null
  assert.ok(same({ region: 'Hello' }, 'region', '=?base64?SGVsbG8=?='))
  assert.ok(same({ region: 'SGVsbG8=' }, 'region', 'SGVsbG8='))
  assert.ok(!same({ region: 'Hello' }, 'region', 'hello'))
  for (const value of ['=?base64?SGVsbG8?=', '=?base64?SGVs!!!bG8=?='])
    assert.equal(
      mismatch({ region: 'Hello' }, { 'mcp-param-region': value }),
      'Mcp-Param-Region is malformed',
    )
  assert.ok(same({ priority: 42 }, 'priority', '42.0'))
  assert.ok(same({ priority: -1 }, 'priority', '-1'))
  for (const text of ['0x2a', '4.2e1', ' 42', '42x', '43', ''])
    assert.ok(!same({ priority: 42 }, 'priority', text), text)
  // No header for a number that other parsers read as another one
  assert.equal(mismatch({ priority: 2 ** 53 }, {}), null)
  assert.ok(same({ options: { dry: true } }, 'dry-run', 'true'))
  assert.ok(!same({ options: { dry: true } }, 'dry-run', 'True'))
})

test('headers that are written for arguments agree with them, and no longer when one of both changes', () => {
  const text = fc.string({ unit: 'binary', maxLength: 12 })
  const given = fc.record(
    { region: text, priority: fc.maxSafeInteger(), options: fc.record({ dry: fc.boolean() }), query: text },
    { requiredKeys: [] },
  )
  const headersOf = (args: Members): Readonly<Record<string, string>> =>
    Object.fromEntries(
      mirroredLines(PARAMS, args)
        .split('\r\n')
        .filter((line) => line !== '')
        .map((line) => line.split(/: (.*)/s) as [string, string])
        .map(([name, value]) => [name.toLowerCase(), value]),
    )
  fc.assert(
    fc.property(given, given, (one, other) => {
      assert.equal(mismatch(one, headersOf(one)), null)
      const differs =
        one.region !== other.region ||
        one.priority !== other.priority ||
        one.options?.dry !== other.options?.dry
      assert.equal(mismatch(one, headersOf(other)) !== null, differs)
    }),
  )
  fc.assert(
    fc.property(fc.dictionary(fc.string(), anyJson()), fc.string({ unit: 'binary' }), (any, header) => {
      mirroredMismatch(PARAMS, any as Members, () => header)
      mirroredMismatch(PARAMS, { ...any, options: any } as Members, () => undefined)
    }),
  )
})
