import { certificatesOf } from '../../base/crypto/certificate.ts'
import type { CredentialAuth } from '../../model/api/credential.ts'
import { EXPIRES_SOON_MS } from '../../model/bounds.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Warning } from '../engine/kind.ts'

/** When the certificate of a credential ends; null for one without. */
export function notAfter(auth: CredentialAuth): string | null {
  if (auth.type !== 'mtls') return null
  return certificatesOf(auth.client_cert_pem)[0]!.validToDate.toISOString()
}

/** When a credential ends, by what is said of it and by its certificate; null where neither is known. */
export function expiryOf(spec: Fields): string | null {
  const said = (spec['expires_at'] as string | null | undefined) ?? null
  const ends = notAfter(spec['auth'] as CredentialAuth)
  if (said === null || ends === null) return said ?? ends
  return Date.parse(said) < Date.parse(ends) ? said : ends
}

/** Warns of certificates that have ended or soon will. */
export async function warnOfExpiry({ spec }: Resource, { clock }: OperationContext): Promise<Warning[]> {
  const auth = spec['auth'] as CredentialAuth
  const ends = notAfter(auth)
  if (auth.type !== 'mtls' || ends === null) return []
  const { ca_cert_pem } = auth
  return [
    ...endWarnings('/auth/client_cert_pem', ends, clock.now()),
    ...(ca_cert_pem == null ? [] : certificatesOf(ca_cert_pem)).flatMap(({ validToDate }) =>
      endWarnings('/auth/ca_cert_pem', validToDate.toISOString(), clock.now()),
    ),
  ]
}

/** A warning where a certificate has ended, or soon will. @param ends as ISO 8601. */
export function endWarnings(pointer: string, ends: string, now: number): Warning[] {
  const left = Date.parse(ends) - now
  if (left > EXPIRES_SOON_MS) return []
  return [
    { pointer, reason: left <= 0 ? `the certificate ended at ${ends}` : `the certificate ends at ${ends}` },
  ]
}
