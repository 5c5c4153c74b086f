import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { mergePatch } from '../../../src/operations/engine/write-resource.ts'
import type { JsonObject } from '../../build/document.ts'
import { at, changesOf, entriesOf, isEqual, pointerOf, withAt } from './value.ts'

const json = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })) as fc.Arbitrary<JsonObject>

test('what PATCH takes gives the edited resource, unless a member was removed', () => {
  fc.assert(
    fc.property(json, json, (loaded, edited) => {
      const { patch, removes } = changesOf(loaded, edited)
      if (removes) return
      assert.ok(isEqual(mergePatch(loaded, patch) as JsonObject, edited))
    }),
  )
})

test('a resource that nobody edited has no changes', () => {
  fc.assert(
    fc.property(json, (loaded) => {
      assert.deepEqual(changesOf(loaded, structuredClone(loaded)), { patch: {}, removes: false })
      assert.deepEqual(entriesOf(loaded, structuredClone(loaded)), [])
    }),
  )
})

test('a value that was set at a path is found there, and nothing else changes', () => {
  const before = { a: { list: [1, 2, 3] }, b: null }
  const after = withAt(before, ['a', 'list', 1], 'x')
  assert.deepEqual(after, { a: { list: [1, 'x', 3] }, b: null })
  assert.equal(at(after, ['a', 'list', 1]), 'x')
  assert.deepEqual(withAt(after, ['a', 'list', 0], undefined), { a: { list: ['x', 3] }, b: null })
  assert.deepEqual(before, { a: { list: [1, 2, 3] }, b: null })
})

test('absent, null, an empty text and an empty list are four values', () => {
  const values: readonly JsonObject[] = [{}, { it: null }, { it: '' }, { it: [] }]
  for (const one of values) for (const other of values) assert.equal(isEqual(one, other), one === other)
})

test('a pointer escapes what RFC 6901 reserves', () => {
  assert.equal(pointerOf(['a/b', 'm~n', 0]), '/a~1b/m~0n/0')
})
