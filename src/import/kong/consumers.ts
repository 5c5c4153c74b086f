import type { Plain } from '../../base/json/storable.ts'
import { ProfileSpec } from '../../model/access/profile.ts'
import { CREDENTIALS } from './counterparts.ts'
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
  const groups = groupsWithPlugins(document, making)
  const oddGroups = oddLists(document, ['consumer_groups', ...GROUP_PARTS])
  const shared = [...making.plugins.global.values()].find(
    ({ effect }) => effect.kind === 'limit' && effect.key === null,
  )
  if (shared !== undefined)
    report.told(
      'plugin',
      `${shared.name} of all services`,
      `it is the policy ${making.policy(shared)}: give it to every client that you make`,
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
        report.different(
          'consumers',
          '',
          `they may call the first ${CALLABLE_MAX} collections only, which is the most that a client may`,
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
    for (const reason of groupsOf(consumer, groups)) closed.add(reason)
    const plugins = [...making.plugins.of(consumer, 'consumer', []).values()]
    making.count(plugins.length)
    const { policy, addresses } = settingsOf(plugins, making, closed, name)
    if (policy !== undefined && collections.some(({ spec }) => spec['policy'] !== undefined))
      report.different('consumer', name, 'the limits of collections hold beside its own')
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
    const keys = making.keys.add(consumer, name, slug, PROFILE)
    // Keys of Kong do not end
    const auth = { type: 'token', ...(keys > 0 ? { expires_in: null } : {}) }
    const narrow = addresses.length === 0 ? {} : { ip_allowlist: addresses }
    making.add({ kind: 'profile', slug: PROFILE, spec: { client: slug, name: 'Token', auth, ...narrow } })
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
      making.report.leftOut('plugin', `${name} of consumer ${consumer}`, 'it decides about no request')
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

/** Why members of a group are switched off, and who they are, by name and id of the group. */
type Groups = ReadonlyMap<string, { readonly reason: string | null; readonly members: ReadonlySet<string> }>

function groupsWithPlugins(document: Plain, making: Making): Groups {
  const found = new Map<string, { readonly reason: string | null; readonly members: ReadonlySet<string> }>()
  for (const group of listIn(document, 'consumer_groups')) {
    const name = nameOf(group)
    const plugins = making.plugins.of(group, 'consumer_group', [])
    const unknown = unknownMembers(group, GROUP_MEMBERS)
    const odd = oddLists(group, ['consumers'], (item) => refOf(item) !== null)
    const reason =
      plugins.size > 0
        ? `plugins of its group ${name} are not carried over`
        : unknown.length > 0
          ? `${unknown.join(', ')} of its group ${name} is not carried over`
          : null
    if (odd.length > 0)
      making.report.leftOut('consumers', `of group ${name}`, 'they are not a list of consumers')
    if (reason === null)
      making.report.told('consumer group', name, 'it has no plugins, so nothing is made of it')
    else making.report.leftOut('consumer group', name, 'its members are switched off')
    const consumers = Array.isArray(group['consumers']) ? group['consumers'] : []
    const members = new Set(consumers.map(refOf).filter((one) => one !== null))
    making.count(members.size)
    for (const key of [group['name'], group['id']])
      if (typeof key === 'string') found.set(key, { reason, members })
  }
  return found
}

function groupsOf(consumer: Plain, groups: Groups): string[] {
  const own = Array.isArray(consumer['groups']) ? consumer['groups'].map(refOf) : []
  const names = [consumer['username'], consumer['custom_id'], consumer['id']]
  const reasons = [...groups].flatMap(([name, { reason, members }]) =>
    reason !== null &&
    (own.includes(name) || names.some((one) => typeof one === 'string' && members.has(one)))
      ? [reason]
      : [],
  )
  const missing = own.filter((name) => name === null || !groups.has(name))
  return missing.length === 0 ? reasons : [...reasons, 'one of its groups is not in the file']
}
