import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { expandedUri, isPlainUri, templateNames, toUriMatch } from './uri-template.ts'

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
    ...[
      'file:///a/..;/b',
      'file:///a/..%20/b',
      'file:///a/%252e%252e/b',
      'file:///a/.%09./b',
      'file:///a%00',
    ],
    ...['file:///a/\uff0e\uff0e/b', 'file:///a\uff0fb', 'file:///a/.\u200b./b', 'file:///a/.\u00ad./b'],
    ...['file:///a\\..\\b', 'file:///a%5cb', 'file:///a b', 'file:///a\n', 'file:///\u0000'],
  ])
    assert.equal(isPlainUri(uri), false, JSON.stringify(uri))
})

test('a template expands to the URI of RFC 6570 where each variable has a text', () => {
  const texts = new Map([
    ['a', 'x/y'],
    ['b', 'z'],
  ])
  for (const [template, uri] of [
    ['t:{a}', 't:x%2Fy'],
    ['t:{+a}', 't:x/y'],
    ['t{#a,b}', 't#x/y,z'],
    ['t{/a,b}', 't/x%2Fy/z'],
    ['t{.b}', 't.z'],
    ['t{;b}', 't;b=z'],
    ['t{?a,b}', 't?a=x%2Fy&b=z'],
    ['t?c{&b}', 't?c&b=z'],
    ['t:{+a:1}{b*}', 't:xz'],
    ['t:{c}', null],
  ] as const)
    assert.equal(expandedUri(template, texts), uri, template)
  assert.deepEqual(templateNames('t:{+a:1}{?b*,c}'), ['a', 'b', 'c'])
})
