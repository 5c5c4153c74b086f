import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isPlainUri, toUriMatch } from './uri-template.ts'

test('a template stands for what RFC 6570 expands it to, and for nothing beyond', () => {
  for (const [template, fits, fails] of [
    [
      'file:///{name}',
      ['file:///a', 'file:///a.txt', 'file:///%2e'],
      ['file:///a/b', 'file:///a?b', 'http:///a', ''],
    ],
    ['file:///{+path}', ['file:///a/b', 'file:///a?b#c'], ['file://a']],
    [
      'db://{table}/rows{?limit,offset}',
      ['db://t/rows', 'db://t/rows?limit=1'],
      ['db://t/u/rows', 'db://t/rows#x'],
    ],
    ['x:a{/segments*}', ['x:a', 'x:a/b/c'], ['x:ab', 'x:a/b?c']],
    ['x:a{.ext}{#part}{;p}{&q}', ['x:a', 'x:a.b#c', 'x:a;p=1&q=2'], ['x:b']],
    ['a.b(c)*[d]', ['a.b(c)*[d]'], ['aXb(c)*[d]', 'a.b(c)d']],
    ['{scheme}://x', ['http://x', '://x'], ['http:/x']],
    ['x:{a', ['x:{a'], ['x:1']],
  ] as const) {
    const isFor = toUriMatch(template)
    for (const uri of fits) assert.equal(isFor(uri), true, `${template} ${uri}`)
    for (const uri of fails) assert.equal(isFor(uri), false, `${template} ${uri}`)
  }
  assert.equal(toUriMatch('x'.repeat(5000))('x'.repeat(5000)), false, 'too long to be read')
})

test('any template and any URI give an answer', () => {
  const text = fc.string({
    maxLength: 30,
    unit: fc.oneof(
      fc.constantFrom(...'{}+#./;?&*\\^$a|()['),
      fc.string({ minLength: 1, maxLength: 1, unit: 'binary' }),
    ),
  })
  fc.assert(fc.property(text, text, (template, uri) => typeof toUriMatch(template)(uri) === 'boolean'))
})

test('a URI that a server may take for another one is not plain', () => {
  for (const uri of [
    'file:///a/b.c',
    'file:///a%20b',
    'x:..a/b..',
    'https://h/x?y=../z',
    'urn:a:b',
    'file:///a%C3%A9',
  ])
    assert.equal(isPlainUri(uri), true, uri)
  for (const uri of [
    ...['file:///a/../b', 'file:///a/..', 'file:///./a', 'file:///%2e%2E/a', 'file:///%61', 'file:///a%2Fb'],
    ...['file:///a\\..\\b', 'file:///a%5cb', 'file:///a b', 'file:///a\n', 'file:///\u0000'],
  ])
    assert.equal(isPlainUri(uri), false, JSON.stringify(uri))
})
