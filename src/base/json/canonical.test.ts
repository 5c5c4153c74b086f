import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Secret } from '../crypto/token.ts'
import { withoutPause } from '../threads/time-slices.ts'
import {
  canonicalJson,
  canonicalJsonPaused,
  contentHash,
  isPacked,
  jsonWithin,
  packJson,
  packJsonBeside,
  unpackJson,
} from './canonical.ts'

/** What canonical JSON is, in the shortest words. */
function defined(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    item !== null && typeof item === 'object' && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  )
}

test('canonical JSON is JSON with sorted keys, whatever the data', () => {
  const key = fc.oneof(
    fc.string(),
    fc.constantFrom('10', '9', '-1', '__proto__', 'constructor', 'é', '\ud800'),
  )
  const leaf = fc.oneof(
    fc.string(),
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constantFrom(null, undefined),
  )
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie('tree')), fc.dictionary(key, tie('tree'))),
  }))
  fc.assert(
    fc.property(tree, (value) => {
      const before = JSON.stringify(value)
      assert.equal(canonicalJson(value), defined(value))
      assert.equal(JSON.stringify(value), before)
    }),
    { numRuns: 500 },
  )
})

test('equal data has one hash, in whatever order its members stand', () => {
  const a = { b: [{ d: 1, c: undefined }], a: { z: null, y: '' } }
  const b = { a: { y: '', z: null }, b: [{ d: 1 }] }
  assert.equal(contentHash(a), contentHash(b))
  assert.notEqual(contentHash(a), contentHash({ ...a, b: [{ d: 2 }] }))
})

test('what says itself how it is written in JSON is written so', () => {
  for (const value of [
    { z: new Date(0), a: 1 },
    [new URL('http://h/')],
    { b: new Secret('x'), a: new Map() },
  ])
    assert.equal(canonicalJson(value), defined(value))
})

test('canonical JSON with pauses is the same text, however large the data', () => {
  const list = Array.from({ length: 3000 }, (_, at) =>
    at % 7 === 0 ? undefined : { b: at, a: [`${at}`], c: undefined },
  )
  for (const value of [
    'a',
    null,
    list,
    { z: list, 10: 1, 9: list, a: undefined, '-1': 'é\ud800' },
    JSON.parse(`{"b":${JSON.stringify(list)},"__proto__":1,"a":{}}`),
    // Pairs of surrogates lie across wherever it is cut
    `x${'😀"'.repeat(300_000)}`,
    '\ud83d'.repeat(600_000),
  ])
    assert.equal(withoutPause(canonicalJsonPaused(value)), canonicalJson(value))
})

test('what fits is written as JSON.stringify writes it, and nothing else is', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat({ max: 400 }), (value, charsMax) => {
      const json = JSON.stringify(value)
      assert.equal(jsonWithin(value, charsMax), json.length <= charsMax ? json : null)
      assert.equal(jsonWithin(value, json.length), json)
    }),
  )
})

test('a large value at many places is refused before it is written', () => {
  const large = { text: 'x'.repeat(1024 * 1024) }
  // Longer than any text can be
  const many = Array.from({ length: 10_000 }, () => [large])
  assert.equal(jsonWithin(many, 32 * 1024 * 1024), null)
  let nested: unknown = large
  for (let level = 0; level < 60; level += 1) nested = [nested, nested]
  assert.equal(jsonWithin(nested, 32 * 1024 * 1024), null)
})

test('a value without JSON stands for null', () => {
  assert.equal(jsonWithin(undefined, 10), 'null')
})

test('a short text stays as it is, and a long one is the same after it was packed', async () => {
  const short = JSON.stringify({ a: 1 })
  assert.equal(packJson(short), short)
  assert.equal(unpackJson(short), short)
  const long = JSON.stringify(Array.from({ length: 10_000 }, (_, at) => ({ name: `Größe ${at} €` })))
  const packed = packJson(long)
  assert.ok(isPacked(packed))
  assert.ok(packed.length < long.length / 2)
  assert.equal(unpackJson(packed), long)
  assert.deepEqual([await packJsonBeside(short), await packJsonBeside(long)], [short, packed])
})

test('a long text that an earlier version has stored is read as it is, and a damaged one is refused', () => {
  const long = JSON.stringify('x'.repeat(100_000))
  assert.equal(unpackJson(long), long)
  assert.throws(() => unpackJson(`${packJson(long).slice(0, 40)}!`))
})
