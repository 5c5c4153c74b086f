import { toMs, toTime } from '../../base/clock.ts'
import { certificatesOf } from '../../base/crypto/certificate.ts'
import { type CredentialAuth, secretFieldsOf } from '../../model/api/credential.ts'
import { isReference } from '../../model/api/credential-facts.ts'
import { EXPIRES_SOON_MS } from '../../model/bounds.ts'
import type { StoredSecret } from '../../store/ports/config.ts'
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

/** When the secret of a credential was set; null for one that is read elsewhere: nobody knows here when it changed. */
export function secretChangedAt({ id, spec }: Resource, secrets: readonly StoredSecret[]): string | null {
  const fields = secretFieldsOf(spec['auth'] as CredentialAuth)
  return secrets.find(({ owner, field }) => owner === id && fields.includes(field))?.updated_at ?? null
}

/** When a credential is to be rotated next; null where that is not said, or not known. */
export function rotationDueAt(credential: Resource, secrets: readonly StoredSecret[]): string | null {
  const every = credential.spec['rotate_every'] as string | null | undefined
  const since = secretChangedAt(credential, secrets)
  return every == null || since === null ? null : toTime(Date.parse(since) + toMs(every))
}

/** Warns where nobody can say when a rotation is due. */
export function warnOfUnknownAge({ spec }: Resource): Warning[] {
  const auth = spec['auth'] as CredentialAuth & Fields
  if (spec['rotate_every'] == null || !secretFieldsOf(auth).some((field) => isReference(auth[field])))
    return []
  return [
    {
      pointer: '/rotate_every',
      reason: 'its secret is read from an outside source, so Postern does not know when it is due',
    },
  ]
}
