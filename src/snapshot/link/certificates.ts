import {
  type Certificate,
  type Crl,
  readCertificate,
  readCrl,
  readPem,
} from '../../base/crypto/certificate.ts'
import type { ProfileFragment } from '../fragments.ts'
import type { LinkedCertificates } from '../linked/client.ts'

/** Alternatives in one binding. */
const AUTHORITIES_MAX = 8

/** Links what certificates of a profile are judged by. Throws a RangeError that names what is wrong. */
export function linkCertificates({ auth, certificates }: ProfileFragment): LinkedCertificates | null {
  if (certificates === undefined) {
    if (auth === 'mtls') throw new RangeError('a profile of type mtls has no bindings')
    return null
  }
  return {
    bindings: certificates.bindings.map(({ id, name, ca, retires_at }) => ({
      id,
      name,
      authorities: readAuthorities(ca),
      retiresAt: retires_at,
    })),
    crls: certificates.crl === null ? null : readCrls(certificates.crl),
    softFail: certificates.soft_fail,
  }
}

/** Authorities in a PEM text. Throws an Error that says what is wrong with it. */
export function readAuthorities(pem: string): Certificate[] {
  const authorities = readPem(pem, 'CERTIFICATE').map(readCertificate)
  if (authorities.length > AUTHORITIES_MAX) throw new RangeError(`holds more than ${AUTHORITIES_MAX}`)
  for (const { ca, fault } of authorities) {
    if (ca === null) throw new RangeError('holds a certificate that may not issue others')
    if (fault !== '') throw new RangeError(`holds a certificate that cannot be used: ${fault}`)
  }
  return authorities
}

/** Revocation lists in a PEM text. Throws an Error that says what is wrong with it. */
export function readCrls(pem: string): Crl[] {
  return readPem(pem, 'X509 CRL').map(readCrl)
}
