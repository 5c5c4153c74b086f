import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalJson, canonicalJsonPaused, contentHash } from './canonical.ts'
import { Secret } from './secret.ts'
import { withoutPause } from './time-slices.ts'

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
