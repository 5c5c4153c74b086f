import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isExactNumber, isMultipleOf } from './decimal.ts'

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
