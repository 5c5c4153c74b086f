import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CERTIFICATE, EXPIRED_CERTIFICATE } from '../../../test/wire/certificate.ts'
import { EXPIRES_SOON_MS } from '../../model/bounds.ts'
import { endWarnings, expiryOf } from './kind.ts'

const END = '2020-01-02T00:00:00.000Z'

function specOf(client_cert_pem: string, expires_at: string | null) {
  return { auth: { type: 'mtls', client_cert_pem }, expires_at }
}

test('a credential ends with its certificate, or before where that is said', () => {
  assert.equal(expiryOf(specOf(EXPIRED_CERTIFICATE, null)), END)
  assert.equal(expiryOf(specOf(EXPIRED_CERTIFICATE, '2030-01-01T00:00:00Z')), END)
  assert.equal(expiryOf(specOf(CERTIFICATE, '2030-01-01T00:00:00Z')), '2030-01-01T00:00:00Z')
  assert.equal(expiryOf({ auth: { type: 'bearer' } }), null)
})

test('the end of a certificate is warned about seven days before', () => {
  const end = Date.parse(END)
  assert.deepEqual(endWarnings('/x', END, end - EXPIRES_SOON_MS - 1), [])
  assert.deepEqual(endWarnings('/x', END, end - EXPIRES_SOON_MS), [
    { pointer: '/x', reason: `the certificate ends at ${END}` },
  ])
  assert.match(endWarnings('/x', END, end)[0]!.reason, /ended at/)
})
