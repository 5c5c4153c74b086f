import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { endOfString, isName, lookAtNames, stringOf } from './json-scan.ts'

test('a string ends after the quote that no backslash escapes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (value, after) => {
      const literal = JSON.stringify(value)
      const text = `[${literal}${after}`
      assert.equal(endOfString(text, 1), 1 + literal.length)
      assert.equal(stringOf(literal), value)
    }),
  )
  for (const open of ['"', '"a', '"a\\', '"a\\"']) assert.equal(endOfString(open, 0), open.length, open)
  assert.equal(stringOf('"\\x"'), null)
})

test('a string before a colon is a name, whatever spaces are between them', () => {
  assert.equal(isName('"a" \t\r\n:1', 3), true)
  assert.equal(isName('"a",1', 3), false)
  assert.equal(isName('"a"', 3), false)
})

test('a member that stands twice is found at any depth, however its name is written', () => {
  assert.deepEqual(lookAtNames('[{"a":[{"b":1,"\\u0062":2}]}]', 9), {
    doubt: { twice: 'b' },
    hasEscapes: true,
  })
  assert.deepEqual(lookAtNames('[{"a":"a"},{"a":{"a":1}}]', 9), { doubt: null, hasEscapes: false })
})

test('a text may be as deep as is allowed and no deeper', () => {
  assert.equal(lookAtNames('[[{}]]', 3).doubt, null)
  assert.equal(lookAtNames('[[[{}]]]', 3).doubt, 'deep')
})
