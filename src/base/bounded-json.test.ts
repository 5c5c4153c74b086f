import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jsonWithin } from './bounded-json.ts'

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
