import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { withoutComments } from './configuration.ts'

test('strings keep what looks like a comment or a trailing comma', () => {
  const text = '{"a":"// x /* y */ ,}","b\\"//":"\\\\"}'
  assert.equal(withoutComments(text), text)
})

test('what is taken out becomes spaces, and lines stay lines', () => {
  const text = '{ // one\n "a": [1, /* two\n lines */ ],\r\n}'
  const left = withoutComments(text)
  assert.equal(left.length, text.length)
  assert.equal(left.split('\n').length, text.split('\n').length)
  assert.deepEqual(JSON.parse(left), { a: [1] })
})

test('a comma that is not before a closing bracket stays, so that broken JSON stays broken', () => {
  for (const text of ['[1,,2]', '[,]x', '{"a":1,,}', '[1 2]'])
    assert.throws(() => JSON.parse(withoutComments(text)), SyntaxError, text)
})

test('JSON stays what it is, and with comments and commas in between it reads the same', () => {
  const gap = fc.constantFrom('', ' ', '\n', '// x ]\n', '/* "}, */', '\t')
  fc.assert(
    fc.property(fc.jsonValue(), fc.array(gap, { minLength: 1, maxLength: 5 }), (value, gaps) => {
      const text = JSON.stringify(value)
      assert.equal(withoutComments(text), text)
      let at = 0
      const next = (): string => gaps[at++ % gaps.length]!
      // Strings of the text are left alone
      const loose = text.replaceAll(/"(?:[^"\\]|\\.)*"|[[\]{}:,]/g, (token) => {
        if (token.startsWith('"')) return token
        return `${next()}${token}${next()}`
      })
      assert.deepEqual(JSON.parse(withoutComments(loose)), JSON.parse(text))
    }),
  )
})

test('any text is read to its end, and stays as long as it is', () => {
  const part = fc.constantFrom('/', '*', '//', '/*', '*/', '"', '\\', ',', '}', ']', '\n', 'a', '\ud800')
  fc.assert(
    fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
      const text = parts.join('')
      assert.equal(withoutComments(text).length, text.length)
    }),
  )
})
