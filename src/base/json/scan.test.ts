import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { endOfString, isName, lookAtNames, parseEscapedNames, stringOf } from './scan.ts'

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

/** JSON with every character of names escaped that `isEscaped` picks by its place. */
function written(value: unknown, isEscaped: (at: number) => boolean): string {
  if (Array.isArray(value)) return `[ ${value.map((item) => written(item, isEscaped)).join(' , ')} ]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const name = (text: string): string => {
    const units = Array.from({ length: text.length }, (_, at) => {
      if (!isEscaped(at)) return JSON.stringify(text[at]).slice(1, -1)
      return `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`
    })
    return `"${units.join('')}"`
  }
  return `{ ${Object.entries(value)
    .map(([key, item]) => `${name(key)} : ${written(item, isEscaped)}`)
    .join(' ,\n ')} }`
}

test('a name with an escape is read as it is meant, whatever was read before', () => {
  JSON.parse('{"k":{},"rol\\\\":1}')
  assert.deepEqual(parseEscapedNames('{"k":{},"rol\\u0065":"admin"}'), { k: {}, role: 'admin' })
})

test('every value comes back, however the characters of its names are escaped', () => {
  const anyValue = fc.jsonValue({ maxDepth: 4 })
  fc.assert(
    fc.property(anyValue, fc.func(fc.boolean()), (value, isEscaped) => {
      const text = written(value, (at) => isEscaped(at))
      assert.deepEqual(parseEscapedNames(text), JSON.parse(JSON.stringify(value)))
    }),
    { numRuns: 500 },
  )
})

test('a member named __proto__ is a member, and the last of two members with one name wins', () => {
  const read = parseEscapedNames('{"__proto__":{"a":1},"b":1,"\\u0062":2}') as Record<string, unknown>
  assert.deepEqual(Object.entries(read), [
    ['__proto__', { a: 1 }],
    ['b', 2],
  ])
  assert.equal(Object.getPrototypeOf(read), Object.prototype)
})
