import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { issue } from '../../../test/certificates.ts'
import { inTime } from '../../../test/support/in-time.ts'
import { readClientCert, readForwardedClientCert } from './certificate-fields.ts'

const root = issue({ name: 'Root' })
const leaf = issue({ name: 'leaf', issuer: root })
const binary = ({ der }: { readonly der: Buffer }): string => `:${der.toString('base64')}:`
const quoted = ({ certificate }: { readonly certificate: string }): string =>
  `"${encodeURIComponent(certificate)}"`

test('Client-Cert and its chain are byte sequences', () => {
  const { leaf: read, chain, fault } = readClientCert(binary(leaf), `${binary(root)}, ${binary(leaf)};a=1`)
  assert.deepEqual([fault, chain.length], ['', 2])
  assert.ok(leaf.der.equals(read))
  for (const value of [
    '',
    ':',
    '::',
    leaf.der.toString('base64'),
    `${binary(leaf)}, ${binary(leaf)}`,
    ':*:',
    ':AA',
  ])
    assert.notEqual(readClientCert(value, undefined).fault, '', value)
  assert.notEqual(readClientCert(binary(leaf), 'x').fault, '')
})

test('of X-Forwarded-Client-Cert the last element counts', () => {
  const stranger = issue({ name: 'stranger' })
  const value = `By=a;Hash=00;Cert=${quoted(stranger)},Hash=11;Subject="CN=a\\",b;c";URI=x;URI=y;Cert=${quoted(leaf)};Chain="${encodeURIComponent(leaf.certificate + root.certificate)}"`
  const { leaf: read, chain, fault } = readForwardedClientCert(value)
  assert.equal(fault, '')
  assert.ok(leaf.der.equals(read))
  assert.deepEqual(
    chain.map((one) => root.der.equals(one)),
    [true],
  )
  const cert = `Cert=${quoted(leaf)}`
  for (const wrong of [
    '',
    'Hash=00',
    'Cert="%zz"',
    'Cert="abc"',
    `${cert};${cert}`,
    `${cert};Subject="`,
    `${cert},`,
  ])
    assert.notEqual(readForwardedClientCert(wrong).fault, '', wrong)
})

test('whatever the fields hold, it is read or has a fault', () => {
  const pieces = [
    'Cert=',
    'Chain=',
    '"',
    '\\',
    ',',
    ';',
    ':',
    '=',
    '%',
    quoted(leaf),
    binary(leaf),
    'Subject="a"',
  ]
  const value = fc
    .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 8 })), { maxLength: 12 })
    .map((parts) => parts.join(''))
  fc.assert(
    fc.property(value, fc.option(value, { nil: undefined }), (text, chain) => {
      for (const { leaf: read, fault } of [readClientCert(text, chain), readForwardedClientCert(text)])
        assert.equal(read.length > 0, fault === '')
    }),
    { numRuns: 2000 },
  )
})

test('fields as long as a head may be are read at once', () => {
  const value = `:AA:;a=${' '.repeat(32_000)}"`
  inTime(() => {
    for (let i = 0; i < 8; i++) {
      assert.notEqual(readClientCert(value, undefined).fault, '')
      assert.notEqual(readForwardedClientCert(`Cert="${value}"`).fault, '')
    }
  })
})
