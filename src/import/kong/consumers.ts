import type { Plain } from '../../base/json/storable.ts'
import { ProfileSpec } from '../../model/access/profile.ts'
import type { MadeCollection, Making } from './made.ts'
import {
  CONSUMER_MEMBERS,
  listIn,
  nameOf,
  OF_CONSUMERS,
  oddLists,
  refOf,
  tagsOf,
  unknownMembers,
} from './members.ts'
import type { PluginInForce } from './plugins-in-force.ts'

/**
 * The document with the credentials and groups at its top in their consumers.
 * @param leftOut told each member with a part whose consumer is not in the document
 */
export function withOwnParts(document: Plain, leftOut: (sentence: string) => void): Plain {
  const members = OF_CONSUMERS.filter((member) => listIn(document, member).length > 0)
  if (members.length === 0) return document
  const ownerOf = new Map<string, number>()
  const consumers = listIn(document, 'consumers').map((one) => ({ ...one }))
  for (const [index, { username, custom_id: id, id: uuid }] of consumers.entries())
    for (const key of [username, id, uuid])
      if (typeof key === 'string' && !ownerOf.has(key)) ownerOf.set(key, index)
  for (const member of members)
    for (const [ref, parts] of Map.groupBy(listIn(document, member), ({ consumer }) => refOf(consumer))) {
      const owner = consumers[ownerOf.get(ref ?? '') ?? -1]
      if (owner === undefined)
        leftOut(`${member} of ${ref?.slice(0, 100) ?? 'no consumer'} are left out: there is no such consumer`)
      else if (oddLists(owner, [member]).length === 0) owner[member] = [...listIn(owner, member), ...parts]
    }
  return { ...document, consumers }
}

/** Collections that a client may call. */
const CALLABLE_MAX = 1000

/**
 * Consumers as clients with a profile of type token. Each may call what its groups and the kinds of its credentials open in Kong.
 * One with something that cannot be carried over is switched off.
 */
export function consumersOf(document: Plain, making: Making, collections: readonly MadeCollection[]): void {
  const groups = groupsWithPlugins(document, making)
  const shared = [...making.plugins.global.values()].find(
    ({ effect }) => effect.kind === 'limit' && effect.key === null,
  )
  if (shared !== undefined)
    making.tell(
      `the rate limit of all services is the policy ${making.policy(shared)}: give it to every client that you make`,
    )
  const callableBy = new Map<string, readonly string[]>()

  function callable(consumer: Plain): readonly string[] {
    const member = new Set(
      listIn(consumer, 'acls').flatMap(({ group }) => (typeof group === 'string' ? [group] : [])),
    )
    const proofs = Object.keys(consumer).filter((name) => listIn(consumer, name).length > 0)
    const key = JSON.stringify([[...member].sort(), proofs.sort()])
    let found = callableBy.get(key)
    if (found === undefined) {
      making.count(collections.length)
      const open = collections.filter((one) => isMember(one, member) && isProved(one, new Set(proofs)))
      if (open.length > CALLABLE_MAX)
        making.note(
          `consumers may call the first ${CALLABLE_MAX} collections only, which is the most that a client may`,
        )
      found = open.slice(0, CALLABLE_MAX).map(({ slug }) => slug)
      callableBy.set(key, found)
    }
    making.count(found.length + 1)
    return found
  }

  for (const consumer of listIn(document, 'consumers')) {
    const name = nameOf(consumer)
    const slug = making.slug(name)
    const closed = new Set<string>()
    const unknown = unknownMembers(consumer, CONSUMER_MEMBERS)
    if (unknown.length > 0) closed.add(`${unknown.join(', ')} is not carried over`)
    const odd = oddLists(consumer, ['acls', 'groups'])
    if (odd.length > 0) closed.add(`${odd.join(', ')} is not a list of objects`)
    for (const group of groupsOf(consumer, groups))
      closed.add(`plugins of its group ${group} are not carried over`)
    const plugins = [...making.plugins.of(consumer, 'consumer', []).values()]
    making.count(plugins.length)
    const { policy, addresses } = settingsOf(plugins, making, closed, name)
    if (closed.size > 0) making.note(`consumer ${name} is switched off: ${[...closed].join('; ')}`)
    if (policy !== undefined && collections.some(({ spec }) => spec['policy'] !== undefined))
      making.note(`the limits of collections hold for consumer ${name} beside its own`)
    const tags = tagsOf(consumer)
    const limit = policy ?? shared
    const spec: Plain = {
      name,
      collections: callable(consumer),
      ...(limit === undefined ? {} : { policy: making.policy(limit) }),
      ...(tags.length === 0 ? {} : { tags }),
      ...(closed.size > 0 ? { active: false } : {}),
    }
    making.add({ kind: 'client', slug, spec })
    const auth = { type: 'token' }
    const narrow = addresses.length === 0 ? {} : { ip_allowlist: addresses }
    making.add({ kind: 'profile', slug: 'token', spec: { client: slug, name: 'Token', auth, ...narrow } })
    making.note(
      'keys of consumers are left out: after the apply, issue a token for each with postern profiles rotate CLIENT:token',
    )
  }
}

/** What the plugins of a consumer become. */
function settingsOf(
  plugins: readonly PluginInForce[],
  making: Making,
  closed: Set<string>,
  consumer: string,
): { readonly policy: PluginInForce | undefined; readonly addresses: readonly string[] } {
  let policy: PluginInForce | undefined
  let addresses: readonly string[] = []
  for (const one of plugins) {
    const { effect, name } = one
    if (effect.kind === 'limit' && effect.key === null) policy = one
    else if (
      effect.kind === 'addresses' &&
      ProfileSpec.shape.ip_allowlist.safeParse(effect.allow).success &&
      effect.allow.length > 0
    )
      addresses = effect.allow
    else if (effect.kind === 'observes')
      making.note(`plugin ${name} of consumer ${consumer} is left out: it decides about no request`)
    else if (effect.kind === 'closes') closed.add(effect.reason)
    else closed.add(`plugin ${name} of a consumer is not carried over`)
  }
  return { policy, addresses }
}

/** True for those whom the plugin acl lets pass, or where there is none. */
function isMember({ acl }: MadeCollection, groups: ReadonlySet<string>): boolean {
  if (acl === null) return true
  if ([...acl.deny].some((group) => groups.has(group))) return false
  return acl.allow.size === 0 || [...acl.allow].some((group) => groups.has(group))
}

/** True where the consumer has what every route of the collection asks for. */
function isProved({ routes }: MadeCollection, proofs: ReadonlySet<string>): boolean {
  for (const { plugins } of routes) {
    const asked = [...plugins.values()].flatMap(({ effect }) =>
      effect.kind === 'auth' ? [effect.credentials] : [],
    )
    if (asked.some((credentials) => credentials === null || !proofs.has(credentials))) return false
  }
  return true
}

/** Names of groups that have plugins in force, by what members say of them. */
function groupsWithPlugins(document: Plain, making: Making): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>()
  for (const group of listIn(document, 'consumer_groups')) {
    const plugins = making.plugins.of(group, 'consumer_group', [])
    if (plugins.size === 0) {
      making.tell(`consumer group ${nameOf(group)} has no plugins and is left out`)
      continue
    }
    const consumers = Array.isArray(group['consumers']) ? group['consumers'] : []
    const members = new Set(consumers.map(refOf).filter((one) => one !== null))
    making.count(members.size)
    for (const key of [group['name'], group['id']]) if (typeof key === 'string') found.set(key, members)
  }
  return found
}

function groupsOf(consumer: Plain, groups: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const own = Array.isArray(consumer['groups']) ? consumer['groups'].map(refOf) : []
  const names = [consumer['username'], consumer['custom_id'], consumer['id']]
  return [...groups].flatMap(([name, members]) =>
    own.includes(name) || names.some((one) => typeof one === 'string' && members.has(one)) ? [name] : [],
  )
}
