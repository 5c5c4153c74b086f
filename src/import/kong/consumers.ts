import type { Plain } from '../../base/json/storable.ts'
import { ProfileSpec } from '../../model/access/profile.ts'
import { CREDENTIALS, type CredentialMember } from './counterparts.ts'
import type { MadeCollection, Making } from './made.ts'
import {
  CONSUMER_MEMBERS,
  GROUP_MEMBERS,
  listIn,
  nameOf,
  oddLists,
  refOf,
  tagsOf,
  unknownMembers,
} from './members.ts'
import type { PluginInForce } from './plugins-in-force.ts'

/** Collections that a client may call. */
const CALLABLE_MAX = 1000

/**
 * Consumers as clients with a profile of type token. Each may call what its groups and the kinds of its credentials open in Kong.
 * One with something that cannot be carried over is switched off.
 */
export function consumersOf(document: Plain, making: Making, collections: readonly MadeCollection[]): void {
  const { report } = making
  const groups = groupsIn(document, making)
  const oddGroups = oddLists(document, ['consumer_groups', ...GROUP_PARTS])
  const shared = [...making.plugins.global.values()].find(
    ({ effect }) => effect.kind === 'limit' && effect.key === null,
  )
  if (shared !== undefined)
    report.told(
      'plugin',
      `${shared.name} of all services`,
      `it is the policy ${making.policy(shared)}: set it for every client that you create`,
    )
  const callableBy = new Map<string, readonly string[]>()

  /** @param only the one kind of credentials that counts */
  function callable(consumer: Plain, only?: CredentialMember): readonly string[] {
    const member = new Set(
      listIn(consumer, 'acls').flatMap(({ group }) => (typeof group === 'string' ? [group] : [])),
    )
    const proofs: string[] = CREDENTIALS.filter(
      (name) => (only === undefined || name === only) && listIn(consumer, name).length > 0,
    )
    const key = JSON.stringify([[...member].sort(), proofs.sort()])
    let found = callableBy.get(key)
    if (found === undefined) {
      making.count(collections.length)
      const open = collections.filter((one) => isMember(one, member) && isProved(one, new Set(proofs)))
      if (open.length > CALLABLE_MAX)
        report.different(
          'consumers',
          '',
          `they may call the first ${CALLABLE_MAX} collections only, the maximum for a client`,
        )
      found = open.slice(0, CALLABLE_MAX).map(({ slug }) => slug)
      callableBy.set(key, found)
    }
    making.count(found.length + 1)
    return found
  }

  for (const consumer of listIn(document, 'consumers')) {
    const name = nameOf(consumer)
    const slug = making.client(name)
    const closed = new Set<string>()
    const unknown = unknownMembers(consumer, CONSUMER_MEMBERS)
    if (unknown.length > 0) closed.add(`${unknown.join(', ')} is not carried over`)
    const odd = oddLists(consumer, ['acls', 'groups'])
    if (odd.length > 0) closed.add(`${odd.join(', ')} is not a list of objects`)
    if (oddGroups.length > 0) closed.add(`${oddGroups.join(', ')} is not a list of objects`)
    for (const reason of reasonsOf(consumer, groups)) closed.add(reason)
    const plugins = [...making.plugins.of(consumer, 'consumer', []).values()]
    making.count(plugins.length)
    const { policy, addresses } = settingsOf(plugins, making, closed, name)
    if (policy !== undefined && collections.some(({ spec }) => spec['policy'] !== undefined))
      report.different('consumer', name, 'the limits of collections also apply')
    const tags = tagsOf(consumer)
    const limit = policy ?? shared
    const collectionsOf = callable(consumer)
    const spec: Plain = {
      name,
      collections: collectionsOf,
      ...(limit === undefined ? {} : { policy: making.policy(limit) }),
      ...(tags.length === 0 ? {} : { tags }),
      ...(closed.size > 0 ? { active: false } : {}),
    }
    making.add({ kind: 'client', slug, spec })
    const keys = making.keys.add(consumer, name, slug, PROFILE)
    // Keys of Kong do not end
    const auth = { type: 'token', ...(keys > 0 ? { expires_in: null } : {}) }
    // A key opens no more than before: what asked for a stronger proof is for other profiles
    const byKey = keys > 0 ? callable(consumer, 'keyauth_credentials') : collectionsOf
    const isLess = byKey.length < collectionsOf.length
    const narrow = {
      ...(addresses.length === 0 ? {} : { ip_allowlist: addresses }),
      ...(isLess ? { collections: byKey } : {}),
    }
    making.add({ kind: 'profile', slug: PROFILE, spec: { client: slug, name: 'Token', auth, ...narrow } })
    if (isLess)
      report.different(
        'consumer',
        name,
        `profile ${slug}:${PROFILE} may call only what accepted keys: create another profile for what accepted other credentials`,
      )
    if (closed.size > 0) report.closed('consumer', name, [...closed].join('; '))
    else report.kept('consumer', name, `client ${slug}, profile ${slug}:${PROFILE}`)
    for (const member of CREDENTIALS) {
      const count = Math.max(listIn(consumer, member).length, oddLists(consumer, [member]).length)
      if (count === 0) continue
      const odd = oddLists(consumer, [member]).length > 0
      if (odd) report.leftOut(member, `of consumer ${name}`, 'it is not a list of objects')
      else if (member !== 'keyauth_credentials')
        report.leftOut(
          member,
          `of consumer ${name}`,
          'Postern cannot check them: rotate its profile to get a token',
        )
    }
    if (keys === 0)
      report.told(
        'consumers',
        '',
        'issue a token for each one without a key, with postern profiles rotate CLIENT:token',
      )
  }
}

/** Slug of the profile of each client. */
const PROFILE = 'token'
const GROUP_PARTS = ['consumer_group_consumers', 'consumer_group_plugins']

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
      making.report.leftOut('plugin', `${name} of consumer ${consumer}`, 'it does not decide about requests')
    else if (effect.kind === 'closes') closed.add(effect.reason)
    else closed.add(`plugin ${name} of a consumer is not carried over`)
    if (one.ignored.length > 0)
      making.report.different('plugin', `${name} of consumer ${consumer}`, ignoredIn(one))
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
    const asked = [...plugins.values()].flatMap(({ effect }) => (effect.kind === 'auth' ? [effect] : []))
    const has = asked.map(({ credentials }) => credentials !== null && proofs.has(credentials))
    // Kong asks for one of them where each lets callers pass without it, and for all otherwise
    const isEnough =
      asked.length > 0 && asked.every(({ isOptional }) => isOptional)
        ? has.includes(true)
        : !has.includes(false)
    if (!isEnough) return false
  }
  return true
}

/** What a plugin says and Postern does not. */
export function ignoredIn({ ignored }: PluginInForce): string {
  return `${ignored.join(', ')} is not carried over`
}

/** Consumer groups of the document. */
interface Groups {
  /** By name and id: why members are switched off; empty where they are not. */
  readonly reasons: ReadonlyMap<string, ReadonlySet<string>>
  /** By how a group names a consumer: the groups that do. */
  readonly ofMembers: ReadonlyMap<string, ReadonlySet<string>>
}

function groupsIn(document: Plain, making: Making): Groups {
  const reasons = new Map<string, Set<string>>()
  const ofMembers = new Map<string, Set<string>>()
  for (const group of listIn(document, 'consumer_groups')) {
    const name = nameOf(group)
    const plugins = making.plugins.of(group, 'consumer_group', [])
    const unknown = unknownMembers(group, GROUP_MEMBERS)
    const own: string[] = []
    if (plugins.size > 0) own.push(`plugins of its group ${name} are not carried over`)
    if (unknown.length > 0) own.push(`${unknown.join(', ')} of its group ${name} is not carried over`)
    if (oddLists(group, ['consumers'], (item) => refOf(item) !== null).length > 0)
      making.report.leftOut('consumers', `of group ${name}`, 'they are not a list of consumers')
    if (own.length === 0)
      making.report.told('consumer group', name, 'it has no plugins, so it is not converted')
    else making.report.leftOut('consumer group', name, 'its members are inactive')
    const keys = [group['name'], group['id']].filter((key) => typeof key === 'string')
    for (const key of keys) addTo(reasons, key, own)
    const consumers = Array.isArray(group['consumers']) ? group['consumers'] : []
    making.count(consumers.length)
    for (const ref of consumers.map(refOf)) if (ref !== null) addTo(ofMembers, ref, keys)
  }
  return { reasons, ofMembers }
}

/** Two groups of one name are read as one, so that none hides what the other says. */
function addTo(sets: Map<string, Set<string>>, key: string, values: readonly string[]): void {
  const known = sets.get(key) ?? new Set()
  for (const value of values) known.add(value)
  sets.set(key, known)
}

/** Why a consumer is switched off for its groups. */
function reasonsOf(consumer: Plain, { reasons, ofMembers }: Groups): string[] {
  const own = Array.isArray(consumer['groups']) ? consumer['groups'].map(refOf) : []
  const names = [consumer['username'], consumer['custom_id'], consumer['id']]
  const named = names.flatMap((name) => (typeof name === 'string' ? [...(ofMembers.get(name) ?? [])] : []))
  const found = [...own, ...named].flatMap((group) => {
    const known = group === null ? undefined : reasons.get(group)
    return known === undefined ? ['one of its groups is not in the file'] : [...known]
  })
  return [...new Set(found)]
}
