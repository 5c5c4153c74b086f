import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseEscapedNames } from './escaped-names.ts'

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
