import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readJsonBody } from './json-body.ts'

const read = (text: string) => readJsonBody(Buffer.from(text))

test('any JSON is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 8 }), (text) => {
      const found = read(text)
      assert.ok(found.ok)
      assert.deepEqual(found.value, JSON.parse(text))
    }),
    { numRuns: 500 },
  )
})

test('any text is taken or refused exactly as the parser does, but for doubts', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'{}[]":,\\au0 1n') }), (text) => {
      const found = read(text)
      if (found.ok) assert.deepEqual(found.value, JSON.parse(text))
      else if (found.reason === 'must be JSON') assert.throws(() => JSON.parse(text))
    }),
    { numRuns: 3000 },
  )
})

test('a member that stands twice in one object is found in any spelling, and only there', () => {
  for (const text of ['{"a":1,"a":1}', '{"a":{"b":[{"c":1,"\\u0063":2}]}}', '{"":0 , "" :1}'])
    assert.equal(read(text).ok, false, text)
  for (const text of ['{"a":{"a":1},"b":[{"a":1},{"a":2}]}', '["a","a"]', '{"a":"a","b":"a"}'])
    assert.equal(read(text).ok, true, text)
})

test('bytes that are no UTF-8, a byte order mark, and deep nesting are refused', () => {
  assert.deepEqual(readJsonBody(Uint8Array.of(0x22, 0xff, 0x22)), { ok: false, reason: 'must be UTF-8' })
  assert.equal(read('\uFEFF{}').ok, false)
  assert.equal(read(`${'['.repeat(100)}${']'.repeat(100)}`).ok, true)
  assert.equal(read(`${'['.repeat(101)}${']'.repeat(101)}`).ok, false)
  assert.equal(read('['.repeat(1_000_000)).ok, false)
})

test('the numbers that a double does not hold are told', () => {
  const inexact = (text: string) => {
    const found = read(text)
    assert.ok(found.ok)
    return [...found.inexact]
  }
  assert.deepEqual(
    inexact('{"a":12345678901234567891,"b":[1e400,0.1,"99999999999999999999"]}'),
    [12345678901234567891n, Infinity].map(Number),
  )
  assert.deepEqual(inexact('[9007199254740992,19.990000000000000,1e+21,-0]'), [])
})

test('a name with an escape is read as a server behind reads it, whatever bodies came before', () => {
  readJsonBody(Buffer.from('{"k":{},"rol\\\\":1}'))
  const read = readJsonBody(Buffer.from('{"k":{},"rol\\u0065":"admin"}'))
  assert.deepEqual(read.ok && read.value, { k: {}, role: 'admin' })
})
