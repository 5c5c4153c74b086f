import type { Plain } from '../base/json/plain.ts'
import type { Caller as PolicySubject, SignedInPerson } from '../snapshot/find/capability-caller.ts'
import { clientOf } from '../snapshot/find/client-of.ts'
import { teamsOf } from '../snapshot/find/people.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { Caller } from './port.ts'

const NO_CLAIMS: Plain = Object.freeze({})

/** A proven caller as capability policies see it. Claims are those that the profile lists. */
export function policySubject(
  {
    client: { id },
    profile,
    subject,
    claims,
    signIn,
  }: Pick<Caller, 'client' | 'profile' | 'subject' | 'claims' | 'signIn'>,
  snapshot: Pick<Snapshot, 'clients' | 'hosts' | 'people' | 'teams' | 'collections'>,
): PolicySubject {
  const { collections } = snapshot
  const client = clientOf(snapshot, id)
  const linked = client?.profiles.get(profile.id)
  const slug = linked?.fragment.slug
  return {
    client: { id, slug: client?.fragment.slug ?? '' },
    profile: { id: profile.id, slug: slug ?? '' },
    user: subject === '' ? null : subject,
    // People sign in here, or a binding of a host names them
    ...(subject !== '' && (signIn !== null || snapshot.hosts.has(id)) ? signedInAs(subject, snapshot) : {}),
    claims:
      claims.size === 0
        ? NO_CLAIMS
        : { ...Object.fromEntries(claims), ...Object.fromEntries(claims.lists ?? []) },
    access: linked === undefined ? null : { profile: linked, collections },
  }
}

function signedInAs(
  id: string,
  { people, teams }: Pick<Snapshot, 'people' | 'teams'>,
): { readonly person: SignedInPerson } {
  const person = people.get(id)
  // A person who was deleted meanwhile is in nothing
  if (person === undefined) return { person: { slug: '', groups: [], teams: [] } }
  return { person: { slug: person.slug, groups: person.groups, teams: [...teamsOf(person, teams)] } }
}
