import { toMs, toTime } from '../../base/clock.ts'
import { type CredentialAuth, secretFieldsOf } from '../../model/api/credential.ts'
import { isReference } from '../../model/api/credential-facts.ts'
import type { StoredSecret } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { Warning } from '../engine/kind.ts'

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
