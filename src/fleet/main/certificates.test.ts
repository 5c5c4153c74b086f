import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { issue } from '../../../test/certificates.ts'
import { createCertificates, fingerprintsOf } from './certificates.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-certificates-'))
after(() => rmSync(directory, { recursive: true }))
const files = { certificate: join(directory, 'server.pem'), key: join(directory, 'server.key') }
const DAY_MS = 86_400_000

/** Puts a certificate into the files that is valid until so many days from now. */
function write(days: number): void {
  const { certificate, key } = issue({
    name: 'localhost',
    dns: ['localhost'],
    usage: 'server',
    from: Date.now() - 30 * DAY_MS,
    until: Date.now() + days * DAY_MS,
  })
  writeFileSync(files.certificate, certificate)
  writeFileSync(files.key, key)
}

test('an expired certificate does not replace one that is in force, and is named', () => {
  const log: string[] = []
  write(10)
  const watched = createCertificates([files], null, (level, message) => log.push(`${level} ${message}`))
  const before = fingerprintsOf(watched.current)
  write(-1)
  watched.reload()
  assert.deepEqual(fingerprintsOf(watched.current), before)
  assert.match(
    log.join(),
    /^error POSTERN_TLS_CERT .*server\.pem: the certificate expired at .*The current certificates stay in use\.$/,
  )
  write(20)
  watched.reload()
  assert.notDeepEqual(fingerprintsOf(watched.current), before)
})

test('a start with an expired certificate logs an error', () => {
  const log: string[] = []
  write(-1)
  createCertificates([files], null, (level, message) => log.push(`${level} ${message}`))
  assert.match(log.join(), /^error POSTERN_TLS_CERT .*the certificate expired at/)
})
