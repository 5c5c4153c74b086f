import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Refusal } from '../refusal.ts'
import {
  demandStorable,
  isPlain,
  isStorable,
  pointerTo,
  toStorable,
  unstorableIn,
  withStorable,
} from './storable.ts'

const text = fc.string({
  unit: fc.oneof(
    { weight: 8, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }) },
    fc.constantFrom('\0', '\ud800', '\udc00', '😀'),
  ),
})
const data = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    text,
    fc.constantFrom(null, true, 0),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(text, tie('any'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).any

/** As PostgreSQL and UTF-8 have it. */
function isKept(value: string): boolean {
  return !value.includes('\0') && Buffer.from(value).toString() === value
}

/** Pointers of texts and of members whose names are not kept. */
function badPlaces(value: unknown, pointer = ''): string[] {
  if (typeof value === 'string') return isKept(value) ? [] : [pointer]
  const members: [string, unknown][] = Array.isArray(value)
    ? value.map((item, index) => [String(index), item])
    : isPlain(value)
      ? Object.entries(value)
      : []
  return members.flatMap(([name, inner]) => {
    const place = pointerTo(pointer, name.replaceAll('\0', '\ufffd').toWellFormed())
    return [...(isKept(name) ? [] : [place]), ...badPlaces(inner, place)]
  })
}

test('every place whose text or name no store keeps is named, and no other', () => {
  fc.assert(
    fc.property(data, (value) => {
      const found = unstorableIn(value).map(({ pointer }) => pointer)
      assert.deepEqual(found.toSorted(), badPlaces(value).slice(0, 100).toSorted())
    }),
    { numRuns: 2000 },
  )
})

test('what is refused names the first place, and without such text nothing is refused', () => {
  fc.assert(
    fc.property(data, (value) => {
      const places = badPlaces(value)
      if (places.length === 0) return demandStorable(value)
      assert.throws(
        () => demandStorable(value),
        ({ code, facts }: Refusal) => code === 'input_invalid' && facts.errors?.length === places.length,
      )
    }),
  )
  assert.throws(() => demandStorable({ a: ['x', { b: 'y\0' }], c: '\ud800' }), {
    code: 'input_invalid',
    message: '/a/1/b: must not contain U+0000 or a lone surrogate.',
  })
})

test('data that was made storable is so, keeps its form, and is itself where it was so before', () => {
  fc.assert(
    fc.property(data, (value) => {
      const made = withStorable(value)
      assert.deepEqual(badPlaces(made), [])
      if (badPlaces(value).length === 0) assert.equal(made, value)
      assert.deepEqual(withStorable(made), made)
    }),
  )
  assert.deepEqual(withStorable({ a: 'x\0y', 'b\0': ['\udfff', 1, null] }), {
    a: 'x�y',
    'b�': ['�', 1, null],
  })
})

test('a text that was made storable has its length, and any other character', () => {
  fc.assert(
    fc.property(text, (value) => {
      const made = toStorable(value)
      assert.ok(isStorable(made))
      assert.equal(isStorable(value), isKept(value))
      assert.equal(made.length, value.length)
      for (let at = 0; at < value.length; at++) assert.ok(made[at] === value[at] || made[at] === '\ufffd')
    }),
  )
})

test('what is no plain data is left alone, and names are bounded', () => {
  const bytes = Buffer.from('\0')
  assert.deepEqual(unstorableIn({ bytes, date: new Date(0), none: undefined }), [])
  assert.equal(unstorableIn(Array.from({ length: 1000 }, () => '\0')).length, 100)
  assert.equal(withStorable({ bytes, text: '\0' }).bytes, bytes)
})

test('a length that no schema can compare is refused with its place, and any other length passes', () => {
  const odd = { toString: 1, valueOf: 1 }
  assert.deepEqual(
    unstorableIn({ a: [{ length: odd }], length: { type: 'integer' }, b: odd }).map(({ pointer }) => pointer),
    ['/a/0/length'],
  )
  assert.deepEqual(unstorableIn({ length: { toString: 1 }, properties: { length: 3 } }), [])
})
