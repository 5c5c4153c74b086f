import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { find, type IndexedSection } from './find.ts'

const SECTIONS: readonly IndexedSection[] = [
  ['tls.html', 'TLS', 'TLS', 'How callers reach the gateway over TLS.'],
  ['tls.html#client-certificates', 'TLS', 'Client certificates', 'A profile of type mtls needs them.'],
  ['changelog.html', 'Changelog', 'TLS', 'Set a certificate.'],
  [
    'keys.html',
    'Keys',
    'Keys',
    `${'Words before. '.repeat(40)}Rotate a certificate. ${'After. '.repeat(60)}`,
  ],
]
const hrefs = (query: string): string[] => find(SECTIONS, query, 10).map(({ href }) => href)

test('sections with every word are found, in any case, those with the word in their heading first', () => {
  assert.deepEqual(hrefs('TLS'), ['tls.html', 'tls.html#client-certificates', 'changelog.html'])
  assert.deepEqual(hrefs('certificate'), ['tls.html#client-certificates', 'keys.html', 'changelog.html'])
  assert.deepEqual(hrefs('MTLS profile'), ['tls.html#client-certificates'])
  assert.deepEqual(hrefs('tls nowhere'), [])
  assert.deepEqual(hrefs('  '), [])
})

test('an excerpt is a bounded piece around the first word', () => {
  const [{ excerpt } = assert.fail()] = find(SECTIONS, 'rotate', 10)
  assert.match(excerpt, /^… .*Rotate a certificate\..* …$/)
  assert.ok(excerpt.length < 220)
})

test('no more sections than the limit are given', () => {
  assert.equal(find(SECTIONS, 'tls', 1).length, 1)
})

test('any query is answered', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 100 }), fc.string(), (query, text) => {
      const found = find([['a.html', 'A', text.slice(0, 5), text]], query, 5)
      assert.ok(found.length <= 1)
    }),
  )
})
