import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PLANTED_KINDS, planted, seeded } from '../../test/support/planted-values.ts'
import { compileAction, type Hits } from './act.ts'
import { compileDetectors } from './compile.ts'
import { actedJson, actedJsonText } from './json.ts'

const detectors = compileDetectors([{ detector: 'pii' }, { detector: 'secrets' }])
const action = { detectors, act: compileAction({ action: 'redact' }) }
const redacted = (text: string): string => actedJsonText(text, action, {})

const value = fc
  .tuple(fc.nat(), fc.constantFrom(...PLANTED_KINDS))
  .map(([seed, kind]) => planted(seeded(seed), kind).value)
const leaf = fc.oneof(value, fc.string(), fc.constantFrom(4111111111111111, null, true), fc.integer())
const json = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('node'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.string(), value), tie('node'), { maxKeys: 4 }),
  ),
})).node

test('the text becomes what the parsed value becomes', () => {
  let found = 0
  fc.assert(
    fc.property(json, fc.constantFrom(undefined, 2), (given, space) => {
      const text = JSON.stringify(given, null, space)
      const [ofText, ofValue]: [Hits, Hits] = [{}, {}]
      const after = actedJsonText(text, action, ofText)
      const expected = actedJson(JSON.parse(text), { ...action, names: true }, ofValue)
      assert.deepEqual(JSON.parse(after), JSON.parse(JSON.stringify(expected)))
      assert.deepEqual(ofText, ofValue)
      if (after !== text) found++
    }),
    { numRuns: 500 },
  )
  assert.ok(found > 50, 'values were among the texts')
})

test('numbers keep their digits, and numbers beyond 2^53 are looked at', () => {
  const text = '{"a" : 1.10, "b":[12345678901234567890,-0], "c":1e400}'
  assert.equal(redacted(text), text)
  assert.equal(redacted('[6011000990139424000]'), '[6011000990139424000]')
  assert.equal(redacted('{"n":4111111111111111}'), '{"n":"[REDACTED:card]"}')
})

test('a member that stands twice is looked at twice, and escapes hide nothing', () => {
  assert.equal(redacted('{"a":"x","a":"\\u0034111 1111 1111 1111"}'), '{"a":"x","a":"[REDACTED:card]"}')
})

test('the name of a member tells what its value is, within lists too', () => {
  assert.equal(
    redacted('{"password":["hunter2A!x"],"b":["hunter2A!x"]}'),
    '{"password":["[REDACTED:named]"],"b":["hunter2A!x"]}',
  )
})

test('text that is no JSON gives some text', () => {
  fc.assert(fc.property(fc.string(), (text) => typeof redacted(text) === 'string'))
  for (const text of ['"', '{"a', '[1,', '\\', '-', '{"a":-}']) assert.equal(redacted(text), text)
})

test('a whole number is found whatever its sign and its spelling', () => {
  for (const number of [
    '4111111111111111',
    '-4111111111111111',
    '4111111111111111.0',
    '4111111111111111e0',
    '4.111111111111111E+15',
    '-41111111111111110e-1',
  ]) {
    assert.equal(redacted(`{"n":${number}}`), '{"n":"[REDACTED:card]"}', number)
    const value = actedJson(JSON.parse(`{"n":${number}}`), action, {})
    assert.deepEqual(value, { n: '[REDACTED:card]' }, number)
  }
  for (const number of ['411111111111111.1', '-4111111111111112', '4e400', '0.4111111111111111'])
    assert.equal(redacted(`[${number}]`), `[${number}]`)
})
