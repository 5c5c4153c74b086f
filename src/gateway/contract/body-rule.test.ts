import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { mediaTypeOf } from './json-body.ts'

test('a media type is read with its charset, or not at all', () => {
  for (const [value, read] of [
    ['application/json', ['application/json', 'utf-8']],
    ['Application/JSON ;Charset=UTF-8 ', ['application/json', 'utf-8']],
    ['text/plain;;charset="us\\-ascii";', ['text/plain', 'us-ascii']],
    ['a/b; c="; charset=x"; charset=y; charset="y"', ['a/b', 'y']],
    ['multipart/related; type=application/dicom; boundary=x', ['multipart/related', 'utf-8']],
    ['application/soap+xml; action=urn:a/b?c; charset=x', ['application/soap+xml', 'x']],
    ['a/b; start=<a@b>', ['a/b', 'utf-8']],
    ['a/b; c=charset=x', null],
    ['a/b; c=d/e, f/g', null],
    ['a/b; c=d, f/g', null],
    ['a/b; charset=x; charset=y', null],
    ['a/b; charset = x', null],
    ['a/b; charset="x', null],
    ['a/b, c/d', null],
    ['a/b c', null],
    ['json', null],
    ['', null],
  ] as const) {
    const type = mediaTypeOf(value)
    assert.deepEqual(type === null ? null : [type.essence, type.charset], read, value)
  }
})

test('any text is read or not, never a fault, and parameters in any form say what they say', () => {
  const word = fc.stringMatching(/^[a-z0-9-]{1,8}$/)
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void mediaTypeOf(`a/b;${text}`)))
  fc.assert(
    fc.property(fc.array(fc.tuple(word, word, fc.boolean())), word, (others, charset) => {
      const parameters = [
        ...others.filter(([name]) => name !== 'charset'),
        ['charset', charset, true] as const,
      ]
      const text = parameters.map(([name, value, isQuoted]) => `${name}=${isQuoted ? `"${value}"` : value}`)
      assert.deepEqual(mediaTypeOf(`a/b; ${text.join('; ')}`), { essence: 'a/b', charset })
    }),
  )
})
