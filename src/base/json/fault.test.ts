import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jsonFaultOf } from './fault.ts'

test('the place of a fault is the first character that JSON does not allow there', () => {
  for (const [text, line, column] of [
    ['', 1, 1],
    ['  ', 1, 3],
    ['{"tool": "x",}', 1, 14],
    ["{'tool': 'x'}", 1, 2],
    ['{tool: 1}', 1, 2],
    ['{"a": 1\n "b": 2}', 2, 2],
    ['{"a": tru}', 1, 7],
    ['{"a": 01}', 1, 8],
    ['{"a": "b', 1, 9],
    ['{"a": "b\nc"}', 1, 9],
    ['{"a": "\\x"}', 1, 8],
    ['[1, 2', 1, 6],
    ['[1, ]', 1, 5],
    ['{} {}', 1, 4],
    ['{"a" 1}', 1, 6],
    ['}', 1, 1],
  ] as const)
    assert.deepEqual(jsonFaultOf(text), { line, column }, text)
})

test('a text has a fault exactly when JSON.parse refuses it', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '1',
    '-0.5e3',
    '01',
    'null',
    ' ',
    '\n',
    '"',
    '\\',
    '\u0001',
  )
  const text = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
    fc.json(),
    fc.string(),
  )
  fc.assert(
    fc.property(text, (one) => {
      let isJson = true
      try {
        JSON.parse(one)
      } catch {
        isJson = false
      }
      assert.equal(jsonFaultOf(one) === null, isJson)
    }),
    { numRuns: 3000 },
  )
})
