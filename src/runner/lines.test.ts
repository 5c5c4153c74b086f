import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createLineReader, oneLine } from './stdio-process.ts'

test('lines are the same however the bytes are cut, and empty ones are left out', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom('a', '\n', '\r', 'ä') }), { maxLength: 20 }),
      (pieces) => {
        const lines: string[] = []
        const reader = createLineReader(1000, (bytes) => lines.push(bytes.toString('latin1')))
        for (const piece of pieces) assert.equal(reader.push(Buffer.from(piece, 'latin1')), true)
        const whole = pieces.join('').split('\n').slice(0, -1)
        assert.deepEqual(
          lines,
          whole.filter((line) => line !== ''),
        )
      },
    ),
  )
})

test('a line may have the longest length and no more, and nothing is read after one that has', () => {
  const lines: string[] = []
  const reader = createLineReader(4, (bytes) => lines.push(bytes.toString()))
  assert.equal(reader.push(Buffer.from('abcd\nab')), true)
  assert.equal(reader.push(Buffer.from('cd')), true)
  assert.equal(reader.push(Buffer.from('\nabcde')), false)
  assert.equal(reader.push(Buffer.from('\nx\n')), false)
  assert.deepEqual(lines, ['abcd', 'abcd'])
})

test('a line is not changed by what comes after it', () => {
  const lines: Buffer[] = []
  const reader = createLineReader(100, (bytes) => lines.push(bytes))
  for (const piece of ['a', 'b\nc', 'd\n']) reader.push(Buffer.from(piece))
  assert.deepEqual(lines.map(String), ['ab', 'cd'])
})

test('characters at which some servers end a line are written as escapes', () => {
  const message = JSON.stringify({ text: 'a\u2028b\u2029c\u0085d "é" 😀' })
  const line = oneLine(message)
  assert.doesNotMatch(line, /[\u0085\u2028\u2029]/)
  assert.deepEqual(JSON.parse(line), JSON.parse(message))
  assert.equal(oneLine('{"a":"b"}'), '{"a":"b"}')
})
