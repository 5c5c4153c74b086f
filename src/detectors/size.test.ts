import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compileDetectors } from './compile.ts'

const kinds = (text: string, limits: object): string[] =>
  compileDetectors([{ detector: 'size', ...limits }])
    .find(text)
    .map(({ kind }) => kind)

test('bytes are those of UTF-8', () => {
  assert.deepEqual(kinds('aé', { bytes: 3 }), [])
  assert.deepEqual(kinds('aéb', { bytes: 3 }), ['bytes'])
})

test('depth and items are those of JSON, outside of its strings', () => {
  assert.deepEqual(kinds('[[1]]', { depth: 2 }), [])
  assert.deepEqual(kinds('[[[]]]', { depth: 2 }), ['depth'])
  assert.deepEqual(kinds('["[[[[", "\\"[[["]', { depth: 1 }), [])
  assert.deepEqual(kinds('{"a":[1,2],"b":[3]}', { items: 2 }), [])
  assert.deepEqual(kinds('[[],{"a":1,"b":2,"c":3}]', { items: 2 }), ['items'])
  assert.deepEqual(kinds('["a,b,c"]', { items: 1 }), [])
  assert.deepEqual(kinds('[[[1,2,3]]]', { depth: 2, items: 2, bytes: 5 }), ['bytes', 'depth', 'items'])
  assert.deepEqual(kinds('[ ]', { items: 0 }), [])
  assert.deepEqual(kinds('[1]', { items: 0 }), ['items'])
})

function depthOf(value: unknown): number {
  if (value === null || typeof value !== 'object') return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}
function itemsOf(value: unknown): number {
  if (value === null || typeof value !== 'object') return 0
  const inner = Object.values(value)
  return Math.max(inner.length, ...inner.map(itemsOf))
}

test('depth and items of any JSON are as its value has them', () => {
  fc.assert(
    fc.property(
      fc.json(),
      fc.integer({ min: 0, max: 4 }),
      fc.integer({ min: 0, max: 4 }),
      (text, depth, items) => {
        const value: unknown = JSON.parse(text)
        const expected = [
          ...(depthOf(value) > depth ? ['depth'] : []),
          ...(itemsOf(value) > items ? ['items'] : []),
        ]
        // Members of one name are several in the text and one in the value
        if (
          new Set(text.match(/"(?:[^"\\]|\\.)*"(?=:)/g)).size ===
          (text.match(/"(?:[^"\\]|\\.)*"(?=:)/g) ?? []).length
        )
          assert.deepEqual(kinds(text, { depth, items }), expected)
      },
    ),
  )
})
