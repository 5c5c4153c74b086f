import type { Plain } from '../base/plain.ts'
import type { Caller as PolicySubject } from '../snapshot/find/capability-caller.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { Caller } from './port.ts'

const NO_CLAIMS: Plain = Object.freeze({})

/** A proven caller as capability policies see it. Claims are those that the profile lists. */
export function policySubject(
  { client: { id }, profile, subject, claims }: Pick<Caller, 'client' | 'profile' | 'subject' | 'claims'>,
  { clients, collections }: Pick<Snapshot, 'clients' | 'collections'>,
): PolicySubject {
  const client = clients.get(id)
  const linked = client?.profiles.get(profile.id)
  const slug = linked?.fragment.slug
  return {
    client: { id, slug: client?.fragment.slug ?? '' },
    profile: { id: profile.id, slug: slug ?? '' },
    user: subject === '' ? null : subject,
    claims:
      claims.size === 0
        ? NO_CLAIMS
        : { ...Object.fromEntries(claims), ...Object.fromEntries(claims.lists ?? []) },
    access: linked === undefined ? null : { profile: linked, collections },
  }
}
