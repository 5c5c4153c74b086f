import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  isExactNumber,
  isMultipleOf,
  joined,
  parseExact,
  parseKeepingDigits,
  parseWithLongTexts,
  rawNumber,
  withDigits,
  withoutDigits,
} from './exact.ts'

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

test('long numbers are texts with all digits, and all else is read as it stands', () => {
  for (const [text, value] of [
    ['{"id":9007199254740993}', { id: '9007199254740993' }],
    ['[-12345678901234567891, 1e400, -1E+999]', ['-12345678901234567891', '1e400', '-1E+999']],
    [
      '[12345678901234567.89, 1.2345678901234567891e20]',
      ['12345678901234567.89', '1.2345678901234567891e20'],
    ],
    ['[9007199254740991, 9007199254740992, 1e20, 100000000000000000000]', [2 ** 53 - 1, 2 ** 53, 1e20, 1e20]],
    ['[0.1234567890123456789, 1e-400, -0]', [Number('0.1234567890123456789'), 0, -0]],
    [
      '{"12345678901234567891":"12345678901234567891 \\" 12345678901234567891"}',
      {
        '12345678901234567891': '12345678901234567891 " 12345678901234567891',
      },
    ],
    ['12345678901234567891', '12345678901234567891'],
  ] as const)
    assert.deepEqual(parseWithLongTexts(text), value, text)
  for (const text of ['012345678901234567891', '{12345678901234567891:1}', '12345678901234567891 1', '-'])
    assert.throws(() => parseWithLongTexts(text), SyntaxError, text)
})

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

test('a value without digits is what JSON.parse gives, and the value itself keeps its digits', () => {
  for (const number of NUMBERS.filter((one) => Number.isFinite(Number(one)))) {
    const text = `{"a":[1,{"b":${number}}],"c":${number}}`
    const value = parseKeepingDigits(text)
    assert.equal(JSON.stringify(withDigits(withoutDigits(value))), JSON.stringify(JSON.parse(text)))
    assert.equal(JSON.stringify(withDigits(value)), text)
  }
  const plain = parseKeepingDigits('{"a":[1,{"b":2}]}')
  assert.equal(withoutDigits(plain), plain)
  const large = parseKeepingDigits('{"a":1e400,"b":1.0}')
  assert.equal(JSON.stringify(withDigits(withoutDigits(large))), '{"a":null,"b":1}')
})

test('a text that is too long to keep its digits reads as JSON.parse has it', () => {
  const text = `[1.0,"${'x'.repeat(128 * 1024)}"]`
  assert.equal(JSON.stringify(withDigits(parseKeepingDigits(text))), JSON.stringify(JSON.parse(text)))
})

test('digits are found through objects that were made around what was read', () => {
  const value = parseKeepingDigits('{"a":{"b":[1.0]}}') as { readonly a: object }
  const around = { method: 'x', params: { name: 'y', ...value } }
  assert.equal(JSON.stringify(withDigits(around)), '{"method":"x","params":{"name":"y","a":{"b":[1.0]}}}')
  assert.equal(
    JSON.stringify(withDigits(withoutDigits(around))),
    '{"method":"x","params":{"name":"y","a":{"b":[1]}}}',
  )
})

test('members that are joined keep the digits of both, and the second goes before', () => {
  const [one, other] = ['{"a":1.0,"b":2.0}', '{"b":3.0,"c":1e400}'].map(
    (text) => parseKeepingDigits(text) as object,
  )
  assert.equal(JSON.stringify(withDigits(joined(one!, other!))), '{"a":1.0,"b":3.0,"c":1e400}')
  assert.equal(JSON.stringify(withDigits(joined(one!, { b: 2 }))), '{"a":1.0,"b":2}')
})

test('a multiple is one in decimal', () => {
  for (const [value, divisor] of [
    [19.99, 0.01],
    [0.3, 0.1],
    [1.1, 0.1],
    [-4.35, 0.01],
    [1e300, 1e-300],
    [0, 0.5],
    [-0, 3],
    [1e21, 7e-21],
  ] as const)
    assert.equal(isMultipleOf(value, divisor), !(divisor === 7e-21), `${value} ${divisor}`)
  for (const [value, divisor] of [
    [19.995, 0.01],
    [0.35, 0.1],
    [7, 3],
    [1.5, 1],
  ] as const)
    assert.equal(isMultipleOf(value, divisor), false, `${value} ${divisor}`)
})

test('an integer with two decimals is a multiple of a hundredth, whatever it is', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e12, max: 1e12 }), (hundredths) => {
      const text = `${hundredths / 100}`
      assert.equal(isMultipleOf(Number(text), 0.01), true)
    }),
  )
})

test('a number is exact where its double is written in the same way', () => {
  for (const text of [
    '0',
    '-0',
    '0.1',
    '19.99',
    '1e3',
    '1000.00',
    '1E+3',
    '9007199254740992',
    '100000000000000000000',
    '1e22',
    '0.00e9',
  ])
    assert.equal(isExactNumber(text), true, text)
  for (const text of [
    '9007199254740993',
    '12345678901234567891',
    '1e400',
    '1e-400',
    '0.1000000000000000000001',
  ])
    assert.equal(isExactNumber(text), false, text)
})
