import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { extension, issue, issueCrl } from '../../../test/certificates.ts'
import { inTime } from '../../../test/support/in-time.ts'
import { type Certificate, readCertificate, readCrl, readPem } from './certificate.ts'

const root = issue({ name: 'Root' })
const leaf = issue({ name: 'leaf', issuer: root, dns: ['A.test'], uris: ['urn:a'], usage: 'client' })
const crl = readPem(issueCrl(root, [leaf]), 'X509 CRL')[0]!

test('a certificate is read as OpenSSL reads it', () => {
  const read = readCertificate(leaf.der)
  assert.equal(read.serial.toUpperCase(), leaf.x509.serialNumber)
  assert.deepEqual([read.dnsNames, read.uris, read.subjectParts], [['a.test'], ['urn:a'], ['CN=leaf']])
  assert.deepEqual([read.ca, read.isForClients, read.fault], [null, true, ''])
  assert.equal(read.issuer, readCertificate(root.der).subject)
  assert.equal(readCertificate(issue({ name: 'x', issuer: root, usage: 'server' }).der).isForClients, false)
})

test('what is not understood is not believed', () => {
  const faultOf = (...extensions: Buffer[]): string =>
    readCertificate(issue({ name: 'x', issuer: root, extensions }).der).fault
  const empty = Buffer.from('3000', 'hex')
  assert.match(faultOf(extension('551d1e', false, empty)), /name constraints/)
  assert.match(faultOf(extension('2a030405', true, empty)), /critical/)
  assert.equal(faultOf(extension('2a030405', false, empty)), '')
  // keyCertSign is missing among the uses
  const usage = extension('551d0f', true, Buffer.from('03020780', 'hex'))
  assert.equal(readCertificate(issue({ name: 'x', ca: true, extensions: [usage] }).der).ca, null)
})

test('a revocation list that means more than it shows is refused', () => {
  const read = readCrl(crl)
  assert.deepEqual([...read.revoked], [readCertificate(leaf.der).serial])
  assert.equal(read.isSignedBy(root.x509.publicKey), true)
  assert.equal(read.isSignedBy(leaf.x509.publicKey), false)
  const delta = issueCrl(root, [], undefined, [extension('551d1b', true, Buffer.from('020101', 'hex'))])
  assert.throws(() => readCrl(readPem(delta, 'X509 CRL')[0]!), /critical/)
})

test('damaged bytes are refused with an Error, or read without a change of what is signed', () => {
  const damage = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.option(fc.nat(), { nil: undefined }) })
  const damaged = (
    der: Buffer,
    { at, byte, cut }: { at: number; byte: number; cut: number | undefined },
  ): Buffer => {
    const bytes = Buffer.from(der)
    bytes[at % der.length] = byte
    return cut === undefined ? bytes : bytes.subarray(0, cut % der.length)
  }
  const attempt = <T>(read: () => T): T | null => {
    try {
      return read()
    } catch (error) {
      assert.ok(error instanceof Error)
      return null
    }
  }
  const proves = (read: Certificate | null): boolean =>
    read?.x509.verify(root.x509.publicKey) === true && read.fault === ''
  fc.assert(
    fc.property(damage, (one) => {
      const bytes = damaged(leaf.der, one)
      const read = attempt(() => readCertificate(bytes))
      if (!bytes.equals(leaf.der) && proves(read)) assert.deepEqual(read!.dnsNames, ['a.test'])
      const list = attempt(() => readCrl(damaged(crl, one)))
      if (list?.isSignedBy(root.x509.publicKey)) assert.equal(list.revoked.size, 1)
    }),
    { numRuns: 3000 },
  )
})

test('a text without an end is read in a time that grows with its length alone', () => {
  for (const piece of [' ', 'A', ' A\n', '-', '-----BEGIN CERTIFICATE-----', '-----END ']) {
    const text = `-----BEGIN CERTIFICATE-----${piece.repeat(30_000)}!`
    assert.throws(() => inTime(() => readPem(text, 'CERTIFICATE')), /cut off/)
  }
})

test('a key among certificates is refused, however its marks are damaged', () => {
  for (const key of [leaf.key, leaf.key.replaceAll('-----', '----'), leaf.key.replaceAll('-', '')])
    assert.throws(() => readPem(leaf.certificate + key, 'CERTIFICATE'), /PRIVATE KEY/)
})
