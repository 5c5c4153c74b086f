import { textHash } from '../base/json/canonical.ts'
import type { Plain } from '../base/json/storable.ts'
import { Lru } from '../base/memory/lru.ts'
import type { Caller as PolicySubject, SignedInPerson } from '../snapshot/find/capability-caller.ts'
import { methodNames, visibleMethods } from '../snapshot/find/methods.ts'
import { clientOf, isOpenTo, teamsOf } from '../snapshot/find/people.ts'
import type { CollectionFragment, Contract, PolicyFragment } from '../snapshot/fragments.ts'
import type { LinkedProfile, SignedIn } from '../snapshot/linked-types/client.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { contractFor, contractsOf, keptIn, schemasOf, sharedSchemas } from './contract/parsed-contracts.ts'
import type { Caller, Endpoint } from './port.ts'

/** What lists and all that is kept by them are made from. */
const MADE_FROM = ['collections', 'contracts', 'schemas'] as const
/** Lists of endpoints that are kept; the one unused for longest is made again when it is asked for. */
const LISTS_MAX = 256
/** The same for the people of one list. */
const PEOPLE_LISTS_MAX = 32

/** What people see of the list of a profile. */
interface SharedList {
  readonly restricted: readonly CollectionFragment[]
  readonly without: Lru<string, readonly Endpoint[]>
}

/** What callers see of a snapshot, by the rules that admit their calls. */
export interface Visible {
  /**
   * In order of base path and path. The same list as long as nothing changed in any collection or its contracts, and for all profiles
   * that see the same: what is made of a list is kept by it. People who have signed in see the collections that are shared with them.
   */
  endpoints(snapshot: Snapshot, profile: LinkedProfile, signIn: SignedIn | null): readonly Endpoint[]
  contract(
    snapshot: Snapshot,
    endpoint: Endpoint,
    method?: string,
  ): { readonly contract: Contract; readonly schemas: Readonly<Record<string, unknown>> } | null
  policies(
    snapshot: Snapshot,
    profile: LinkedProfile,
    endpoint: Endpoint,
  ): readonly { readonly attachedTo: string; readonly policy: PolicyFragment }[]
}

/** Keeps the lists of the collections of one snapshot at a time. */
export function createVisible(): Visible {
  let listed: Snapshot | null = null
  const lists = new Lru<LinkedProfile, readonly Endpoint[]>(LISTS_MAX)
  /** By what is on them. */
  const sets = new Lru<string, readonly Endpoint[]>(LISTS_MAX)
  /** By the list of the profile: collections that some people do not see, and lists without collections, by their ids. */
  const shared = new WeakMap<readonly Endpoint[], SharedList>()

  function setOf(made: readonly Endpoint[]): readonly Endpoint[] {
    const key = textHash(made.map(({ proxy, methods }) => `${proxy.id} ${methods}`).join('\n'))
    return keptIn(sets, key, () => made)
  }

  function listFor(list: readonly Endpoint[], signIn: SignedIn, snapshot: Snapshot): readonly Endpoint[] {
    const { restricted, without } = keptIn(shared, list, () => ({
      restricted: [...new Set(list.map(({ collection }) => collection))].filter(
        ({ teams }) => teams !== undefined,
      ),
      without: new Lru<string, readonly Endpoint[]>(PEOPLE_LISTS_MAX),
    }))
    const closed = restricted.filter((collection) => !isOpenTo(collection, signIn, snapshot))
    if (closed.length === 0) return list
    return keptIn(without, closed.map(({ id }) => id).join(), () =>
      setOf(list.filter(({ collection }) => !closed.includes(collection))),
    )
  }

  return {
    endpoints(snapshot, profile, signIn) {
      if (listed === null || MADE_FROM.some((member) => snapshot[member] !== listed![member])) {
        lists.clear()
        sets.clear()
      }
      listed = snapshot
      let list = lists.get(profile)
      if (list === undefined) {
        list = setOf(listOf(snapshot, profile))
        lists.set(profile, list)
      }
      return signIn === null ? list : listFor(list, signIn, snapshot)
    },
    contract(snapshot, { collection, proxy }, method) {
      const fragment = snapshot.contracts.get(collection.id)
      if (fragment === undefined) return null
      const contract = contractsOf(fragment)[proxy.id]
      if (contract === undefined) return null
      const shared = sharedSchemas(snapshot, fragment)
      return {
        contract: method === undefined ? contract : contractFor(contract, method),
        schemas: shared === undefined ? {} : schemasOf(shared),
      }
    },
    policies(snapshot, profile, endpoint) {
      const places: readonly (readonly [string, string | null])[] = [
        ['client', profile.client.fragment.policy],
        ['profile', profile.fragment.policy],
        ['collection', endpoint.collection.policy],
        ['proxy', endpoint.proxy.policy],
      ]
      return places.flatMap(([attachedTo, id]) => {
        const policy = id === null ? undefined : snapshot.policies.get(id)
        return policy === undefined ? [] : [{ attachedTo, policy: policy.fragment }]
      })
    },
  }
}

function listOf(snapshot: Snapshot, profile: LinkedProfile): Endpoint[] {
  const endpoints: Endpoint[] = []
  const collections = [...snapshot.collections.values()]
    .filter(({ id, fault }) => fault === null && profile.collections.has(id))
    .sort((a, b) => (a.fragment.base_path < b.fragment.base_path ? -1 : 1))
  for (const collection of collections) {
    for (const proxy of collection.proxies) {
      // A tunnel is nothing that one call could answer.
      if (proxy.fragment.features?.websocket !== undefined) continue
      // HEAD comes with GET and is listed only where the proxy names it.
      const methods = methodNames(visibleMethods(profile, collection, proxy) & proxy.named)
      if (methods.length === 0) continue
      endpoints.push({ collection: collection.fragment, proxy: proxy.fragment, methods, path: proxy.route })
    }
  }
  return endpoints
}

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
