import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalAuthority } from './target.ts'

test('a name that reads as a number is an IPv4 address in four decimal parts or nothing', () => {
  for (const host of ['127.0.0.1', '10.1.2.3:8080', '1.2.example', 'a1', '0x7f.a'])
    assert.equal(canonicalAuthority(host), host)
  for (const host of [
    '256.256.256.256',
    '999.1.1.1:80',
    '1.2.3',
    '1',
    '0x7f.1',
    'a.0x',
    '1.2.3.4.',
    '01.2.3.4',
    'a.1',
  ])
    assert.equal(canonicalAuthority(host), null, host)
})

test('what is an authority is the same host to a URL parser', () => {
  const label = fc.string({ unit: fc.constantFrom(...'0189axfAX-_~.'), minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(label, fc.constantFrom('', ':1', ':65535'), (name, port) => {
      const authority = canonicalAuthority(name + port)
      if (authority !== null) assert.equal(new URL(`http://${authority}/`).host, authority)
    }),
    { numRuns: 5000 },
  )
})
