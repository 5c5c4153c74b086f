import { z } from 'zod'
import { toTime } from '../../base/clock.ts'
import { refersTo } from '../../model/annotations.ts'
import {
  ATTACHMENTS,
  type Attachment,
  LIMIT_KINDS,
  type LimitSpec,
  limitsOf,
  type PolicySpec,
  WARN_AT_DEFAULT,
} from '../../model/api/policy.ts'
import { Ref } from '../../model/members.ts'
import { inWords, NOUNS, type ResourceType } from '../../model/resource-types.ts'
import { compilePolicy } from '../../snapshot/compile/compile.ts'
import { type LimitKey, limitKeyOf } from '../../snapshot/find/limit-key.ts'
import { isLeased, keyFor, type PlannedLimit, partOf, planLimit } from '../../snapshot/find/limit-plan.ts'
import { linkLimit } from '../../snapshot/link/small-kinds.ts'
import type { LinkedLimit } from '../../snapshot/linked-types/client.ts'
import { LIVE_MS } from '../../store/ports/nodes.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, define } from '../engine/define.ts'
import { Warning } from '../engine/kind.ts'
import { getRef } from '../engine/refs.ts'
import { policyKind } from './kind.ts'

/** Counters that one answer shows. */
const ITEMS_MAX = 200
/** Policies that one answer looks through: each is asked for what it is attached to. */
const POLICIES_MAX = 500

const slugOf = (type: ResourceType) =>
  z
    .string()
    .meta(refersTo(type))
    .nullable()
    .describe(`Slug of the ${inWords(NOUNS[type])} it counts for`)

const UsageItem = z.object({
  limit: z.string().describe('Name of the limit'),
  kind: z.enum(LIMIT_KINDS),
  mode: z.enum(['enforce', 'observe']),
  attached_to: z.enum(ATTACHMENTS),
  client: slugOf('clients'),
  profile: slugOf('profiles'),
  collection: slugOf('collections'),
  proxy: slugOf('proxies'),
  origin: slugOf('origins'),
  virtual_mcp: slugOf('virtual_mcps'),
  key: z.string().describe('default, ip, global, tool, user, claim:<name> or header:<name>'),
  value: z.string().nullable().describe('For a key that callers choose: the requested value'),
  max: z.int().describe('Capacity: max of the limit, or its burst'),
  used: z
    .int()
    .nullable()
    .describe(
      'With several nodes: at all nodes for calendar quotas, else at the node that answers. Null if the counter belongs to another value than the requested one',
    ),
  remaining: z.int().nullable().describe('What the node that answers still admits'),
  own: z.int().nullable().describe('What the node that answers has counted of used'),
  own_max: z.int().describe('What own may come to at the node that answers'),
  held: z
    .int()
    .nullable()
    .describe(
      'What the node that answers may admit before it asks Valkey again; null if it is not counted in Valkey',
    ),
  state: z
    .enum(['ok', 'warning', 'exceeded', 'unknown'])
    .describe('warning from warn_at on, exceeded when nothing is left'),
  reset_at: z
    .string()
    .nullable()
    .describe('Time at which more becomes available; null if everything is available, and for concurrency'),
  refused: z
    .int()
    .describe(
      'Requests that it refused since the counter began; with mode observe, that it would have refused',
    ),
})
type UsageItem = z.output<typeof UsageItem>

/** Which counters of a policy are shown. */
const ofCounters = {
  client: Ref.optional().describe('Only counters for this client'),
  value: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe('For limits keyed by ip, tool, user, claim or header: value of the key, such as an address'),
}

export const getPolicyUsage = define({
  resource: 'policies',
  action: 'usage',
  effect: 'read',
  tool: 'get_policy_usage',
  group: policyKind.group,
  summary: 'Show the usage of the limits of a policy, for each client',
  input: z.strictObject({
    id: Ref,
    ...ofCounters,
  }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    active: z.boolean().describe('An inactive policy counts nothing'),
    items: z.array(UsageItem),
    warnings: z.array(Warning).optional(),
    truncated: z.boolean().describe('True if there are more counters; give a client to see them'),
  }),
  permission: 'policies:read',
  refuses: ['not_found'],
  columns: ['limit', 'attached_to', 'client', 'used', 'max', 'state'],
  ...about(policyKind),
  handle: async ({ id, client, value }, context) => {
    const policy = await context.find('policies', id)
    const only = client === undefined ? null : await getRef(context.reader, 'clients', client)
    const { active } = specOf(policy)
    const head = { id: policy.id, slug: policy.slug, active }
    if (!(await isAttached(policy, context)))
      return { ...head, items: [], warnings: [NOT_ATTACHED], truncated: false }
    const items: UsageItem[] = []
    for await (const { item } of usageOf(policy, only, value ?? null, context)) {
      if (items.length === ITEMS_MAX) return { ...head, items, truncated: true }
      items.push(item)
    }
    return { ...head, items, truncated: false }
  },
})

/** Stored by the schema of this type, or an older one whose members are those that are not optional. */
const specOf = ({ spec }: Resource): PolicySpec => spec as unknown as PolicySpec

/** The counters of a policy, each once. @param only a client @param value of keys that callers choose; null for none */
async function* usageOf(
  policy: Resource,
  only: Resource | null,
  value: string | null,
  context: OperationContext,
): AsyncGenerator<{ readonly item: UsageItem; readonly limit: LinkedLimit }> {
  const spec = specOf(policy)
  const specs = limitsOf(spec)
  const fragment = compilePolicy({ id: policy.id, slug: policy.slug, spec })
  const limits = fragment.limits.map((limit) => linkLimit(fragment, limit))
  const seen = new Set<string>()
  for await (const place of placesOf(policy, only, context))
    for (const [index, limit] of limits.entries()) {
      const planned = countedAt(limit, place, value)
      // A counter that several places share is shown once.
      const name = `${index} ${planned.low} ${planned.high}`
      if (seen.has(name)) continue
      seen.add(name)
      yield { item: toItem(specs[index]!, planned, place, value, context), limit }
    }
}

const NOT_ATTACHED = { pointer: '/id', reason: 'attached nowhere, so it limits no calls' }

async function isAttached({ id }: Resource, { whole }: OperationContext): Promise<boolean> {
  return (await whole.usersOf(id)).some(({ spec }) => spec['policy'] === id)
}

/** Where a policy is attached, and for a collection or proxy one of the clients that may call it. */
interface Place {
  readonly attachedTo: Attachment
  readonly key: LimitKey
  readonly clientKey: LimitKey
  readonly client: string | null
  readonly profile: string | null
  readonly collection: string | null
  readonly proxy: string | null
  readonly origin: string | null
  readonly virtualMcp: string | null
}

const NOWHERE = {
  client: null,
  profile: null,
  collection: null,
  proxy: null,
  origin: null,
  virtualMcp: null,
}

async function* placesOf(
  policy: Resource,
  only: Resource | null,
  { reader }: OperationContext,
): AsyncGenerator<Place> {
  const users = (await reader.usersOf(policy.id)).filter(({ spec }) => spec['policy'] === policy.id)
  const parents = await reader.slugs(users.flatMap(({ parent }) => parent ?? []))
  for (const user of users) {
    const parent = user.parent === null ? null : (parents.get(user.parent) ?? null)
    if (user.type === 'clients') {
      if (only !== null && user.id !== only.id) continue
      const key = limitKeyOf(`client:${user.id}`)
      yield { ...NOWHERE, attachedTo: 'client', key, clientKey: key, client: user.slug }
    } else if (user.type === 'profiles') {
      if (only !== null && user.parent !== only.id) continue
      yield {
        ...NOWHERE,
        attachedTo: 'profile',
        key: limitKeyOf(`profile:${user.id}`),
        clientKey: limitKeyOf(`client:${user.parent}`),
        client: parent,
        profile: user.slug,
      }
    } else {
      const within = placeWithin(user, parent)
      if (within === null) continue
      for (const client of await clientsOf(user, only, reader))
        yield {
          ...NOWHERE,
          ...within,
          key: limitKeyOf(`${within.attachedTo}:${user.id}`),
          clientKey: limitKeyOf(`client:${client.id}`),
          client: client.slug,
        }
    }
  }
}

/** Of what counts for each client within it; null for what is none of these. */
function placeWithin(
  { type, slug }: Resource,
  parent: string | null,
): (Partial<Place> & Pick<Place, 'attachedTo'>) | null {
  switch (type) {
    case 'collections':
      return { attachedTo: 'collection', collection: slug }
    case 'proxies':
      return { attachedTo: 'proxy', collection: parent, proxy: slug }
    case 'origins':
      return { attachedTo: 'origin', origin: slug }
    case 'virtual_mcps':
      return { attachedTo: 'virtual_mcp', virtualMcp: slug }
    default:
      return null
  }
}

/** Clients that may call it; @param only the one that was asked for */
async function clientsOf(
  place: Resource,
  only: Resource | null,
  reader: OperationContext['reader'],
): Promise<readonly Resource[]> {
  if (place.type === 'collections' || place.type === 'proxies') {
    const collection = place.type === 'proxies' ? place.parent! : place.id
    const mayCall = ({ spec }: Resource): boolean => (spec['collections'] as string[]).includes(collection)
    if (only !== null) return [only].filter(mayCall)
    return reader.list({ type: 'clients', limit: ITEMS_MAX + 1, holds: { collections: collection } })
  }
  // An origin is called through each virtual MCP that it is a member of
  const callable = place.type === 'virtual_mcps' ? [place] : await reader.usersOf(place.id)
  const clients = new Map<string, Resource>()
  for (const { id } of callable)
    for (const user of await reader.usersOf(id))
      if (user.type === 'clients' && (only === null || user.id === only.id)) clients.set(user.id, user)
  return [...clients.values()].slice(0, ITEMS_MAX + 1)
}

/** Attached to what many clients call. */
function isForAll(attachedTo: Attachment): boolean {
  return attachedTo !== 'client' && attachedTo !== 'profile'
}

function countedAt(
  limit: LinkedLimit,
  { attachedTo, key, clientKey }: Place,
  value: string | null,
): PlannedLimit {
  const planned = planLimit(limit, attachedTo, key, clientKey)
  return planned.isKeyed && value !== null ? { ...planned, ...keyFor(planned, value) } : planned
}

function toItem(
  spec: LimitSpec,
  planned: PlannedLimit,
  place: Place,
  value: string | null,
  context: OperationContext,
): UsageItem {
  const { limit, attachedTo, isKeyed } = planned
  const now = context.clock.now()
  const max = limit.algorithm === 'bucket' ? limit.burst : limit.max
  const isKnown = !isKeyed || value !== null
  const reading = isKnown ? context.limits.read(planned, now) : null
  const used = reading?.used ?? 0
  const isWhole = context.limits.leaseState === 'up' && isLeased(limit)
  const ownMax = reading?.ownMax ?? (isWhole ? max : partOf(max, context.limits.nodes, limit.cost))
  const isShared = limit.by === 'global'
  return {
    limit: spec.name,
    kind: spec.kind,
    mode: spec.mode ?? 'enforce',
    attached_to: attachedTo,
    client: isShared || (limit.by === 'ip' && isForAll(place.attachedTo)) ? null : place.client,
    profile: isShared ? null : place.profile,
    collection: isShared ? null : place.collection,
    proxy: isShared ? null : place.proxy,
    origin: isShared ? null : place.origin,
    virtual_mcp: isShared ? null : place.virtualMcp,
    key: spec.key ?? 'default',
    value: isKeyed ? value : null,
    max,
    used: isKnown ? used : null,
    remaining: isKnown ? (reading?.remaining ?? ownMax) : null,
    own: isKnown ? (reading?.own ?? 0) : null,
    own_max: ownMax,
    held: reading?.held ?? (isWhole ? 0 : null),
    state: isKnown
      ? stateOf(used, limit.algorithm === 'quota' ? max : ownMax, limit.cost, spec.warn_at ?? WARN_AT_DEFAULT)
      : 'unknown',
    reset_at:
      reading === null || reading.resetMs === 0 || spec.kind === 'concurrency'
        ? null
        : toTime(now + reading.resetMs),
    refused: reading?.refused ?? 0,
  }
}

function stateOf(used: number, max: number, cost: number, warnAt: number): UsageItem['state'] {
  if (max - used < cost) return 'exceeded'
  return used >= max * warnAt ? 'warning' : 'ok'
}

// Says where each counter lives, and by how much it may be exceeded now.

const ExplainedLimit = UsageItem.extend({
  policy: z.string().meta(refersTo('policies')).describe('Slug of the policy'),
  counted: z
    .enum(['exactly', 'by_node', 'over_nodes', 'in_valkey'])
    .describe(
      'exactly: one node counts all requests; by_node: each node admits its part, own_max; over_nodes: a calendar quota, which nodes count together in the database; in_valkey: all nodes count together there',
    ),
  worst_excess: z
    .int()
    .nullable()
    .describe(
      'The most that all nodes may admit beyond max at this moment, in the unit of max. Null: there is no bound',
    ),
  because: z.string().describe('Where the excess comes from'),
})
type ExplainedLimit = z.output<typeof ExplainedLimit>

export const explainLimits = define({
  resource: 'limits',
  action: 'explain',
  effect: 'read',
  tool: 'explain_limits',
  group: policyKind.group,
  summary:
    'Explain where the limits of a policy or client are counted, and by how much they may be exceeded now',
  input: z.strictObject({
    policy: Ref.optional().describe('Only limits of this policy'),
    ...ofCounters,
  }),
  output: z.object({
    nodes: z.int().describe('Nodes by which limits are divided'),
    silent_nodes: z.int().describe('Nodes that are not counted, and may still admit requests'),
    items: z.array(ExplainedLimit),
    truncated: z.boolean().describe('True if there are more counters; give a policy or client to see them'),
  }),
  permission: 'policies:read',
  refuses: ['not_found'],
  columns: ['policy', 'limit', 'client', 'counted', 'max', 'own', 'own_max', 'worst_excess'],
  subject: () => ({ type: 'policy', id: null, slug: null }),
  handle: async ({ policy: ref, client, value }, context) => {
    const only = client === undefined ? null : await getRef(context.reader, 'clients', client)
    const found =
      ref === undefined
        ? await context.reader.list({ type: 'policies', limit: POLICIES_MAX + 1 })
        : [await context.find('policies', ref)]
    // An inactive policy counts nothing
    const policies = found.slice(0, POLICIES_MAX).filter((policy) => specOf(policy).active)
    const { rows } = await context.nodes.read()
    const silent = rows.filter(({ silentMs }) => silentMs >= LIVE_MS).length
    const { nodes, leaseState } = context.limits
    const items: ExplainedLimit[] = []
    for (const policy of policies)
      for await (const { item, limit } of usageOf(policy, only, value ?? null, context)) {
        if (items.length === ITEMS_MAX) return { nodes, silent_nodes: silent, items, truncated: true }
        items.push({ ...item, policy: policy.slug, ...excessOf(item, limit, { nodes, silent, leaseState }) })
      }
    return { nodes, silent_nodes: silent, items, truncated: found.length > POLICIES_MAX }
  },
})

/** The nodes that count, those that are not counted and may live, and whether limits are counted in Valkey. */
interface Counting {
  readonly nodes: number
  readonly silent: number
  readonly leaseState: OperationContext['limits']['leaseState']
}

/** What nodes that count as they are documented to may admit beyond a limit: see docs/policies.md, Several nodes. */
function excessOf(
  { max, held }: UsageItem,
  limit: LinkedLimit,
  { nodes, silent, leaseState }: Counting,
): Pick<ExplainedLimit, 'counted' | 'worst_excess' | 'because'> {
  const { algorithm, cost, isObserved, onStoreFailure } = limit
  const part = partOf(max, nodes, cost)
  const ofSilent =
    silent === 0 ? '' : ` ${silent} silent node${silent === 1 ? '' : 's'} may admit a part each, if alive.`
  if (algorithm === 'quota') {
    if (nodes === 1 && silent === 0) return EXACT
    return {
      counted: 'over_nodes',
      worst_excess: (nodes - 1) * cost + silent * part,
      because: `Each of the ${nodes} nodes reserves a share of what is left; the last request of each other node may exceed it.${ofSilent}`,
    }
  }
  if (leaseState === 'up' && isLeased(limit)) {
    const others = nodes - 1 + silent
    const [excess, adds] = {
      local: [others * part, `adds its part, at most ${part}`],
      deny: [0, 'refuses every call'],
      allow: [others === 0 ? 0 : null, 'admits every call'],
    }[onStoreFailure] as [number | null, string]
    return {
      counted: 'in_valkey',
      worst_excess: excess,
      because: `All nodes count together in Valkey, and this node holds ${held ?? 0}. Together they admit ${max}. Each node that cannot reach Valkey ${adds}.`,
    }
  }
  if (leaseState === 'down' && !isObserved && onStoreFailure !== 'local')
    return onStoreFailure === 'deny'
      ? {
          counted: 'by_node',
          worst_excess: 0,
          because: 'Valkey cannot be reached, so every call is refused.',
        }
      : {
          counted: 'by_node',
          worst_excess: null,
          because: 'Valkey cannot be reached, so every call is admitted.',
        }
  const lost = leaseState === 'down' && !isObserved ? 'Valkey cannot be reached. ' : ''
  if (nodes === 1 && silent === 0) return EXACT
  return {
    counted: 'by_node',
    worst_excess: nodes * part - max + silent * part + (lost === '' ? 0 : max),
    because: `${lost}Each of the ${nodes} nodes admits at most ${part} of ${max}, rounded up.${lost === '' ? '' : ' What was counted in Valkey before may come to max within the same window.'}${ofSilent}`,
  }
}

const EXACT = { counted: 'exactly', worst_excess: 0, because: 'One node counts all requests.' } as const
