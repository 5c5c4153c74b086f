import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseExact, parseKeepingDigits, rawNumber, withDigits } from './exact-json.ts'

/** Numbers that a double changes, or writes in another way. */
const NUMBERS = [
  '12345678901234567890',
  '9007199254740993',
  '1.0',
  '-0',
  '1e400',
  '0.10',
  '1E5',
  '0.00000001',
  '-1.50',
  '3.14159265358979323846',
]

test('numbers keep their digits in any place of a text', () => {
  for (const number of NUMBERS)
    for (const text of [number, `[${number}]`, `{"a":${number}}`, `{"a":[1,{"b":${number},"c":"x"}]}`]) {
      assert.equal(JSON.stringify(parseExact(text)), text)
      if (text !== number) assert.equal(JSON.stringify(withDigits(parseKeepingDigits(text))), text)
    }
})

test('a value reads as JSON.parse gives it, and is not changed by what is written with digits', () => {
  const number = fc.constantFrom(...NUMBERS, '1', '0.5', '123')
  const name = fc.constantFrom('a', '__proto__', 'constructor', '1.0', 'é')
  const { value } = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      number,
      fc.constantFrom('"1.0"', '"12345678901234567890"', 'null', 'true'),
      fc.array(tie('value'), { maxLength: 3 }).map((items) => `[${items.join(',')}]`),
      fc
        .uniqueArray(fc.tuple(name, tie('value')), { maxLength: 3, selector: ([key]) => key })
        .map((members) => `{${members.map(([key, one]) => `${JSON.stringify(key)}:${one}`).join(',')}}`),
    ),
  }))
  fc.assert(
    fc.property(value, (text) => {
      const read = parseKeepingDigits(text)
      assert.deepEqual(read, JSON.parse(text))
      assert.equal(JSON.stringify(parseExact(text)), text)
      if (read !== null && typeof read === 'object') assert.equal(JSON.stringify(withDigits(read)), text)
      assert.deepEqual(read, JSON.parse(text))
    }),
  )
})

test('a number that has replaced the one that came has no digits of it', () => {
  const read = parseKeepingDigits('{"a":1.0,"b":2.0}') as { a: number }
  read.a = 3
  assert.equal(JSON.stringify(withDigits(read)), '{"a":3,"b":2.0}')
})

test('a text without such numbers is the value that JSON.parse gives', () => {
  const read = parseKeepingDigits('{"id":"4e1-1.0-0","n":[1,2.5,100000]}')
  assert.equal(withDigits(read), read)
  assert.equal(rawNumber(1), null)
})
