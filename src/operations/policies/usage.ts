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
import { keyFor, type PlannedLimit, partOf, planLimit } from '../../snapshot/find/limit-plan.ts'
import { linkLimit } from '../../snapshot/link/small-kinds.ts'
import type { LinkedLimit } from '../../snapshot/linked-types/client.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, define } from '../engine/define.ts'
import { Warning } from '../engine/kind.ts'
import { getRef } from '../engine/refs.ts'
import { policyKind } from './kind.ts'

/** Counters that one answer shows. */
const ITEMS_MAX = 200

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

export const getPolicyUsage = define({
  resource: 'policies',
  action: 'usage',
  effect: 'read',
  tool: 'get_policy_usage',
  group: policyKind.group,
  summary: 'Show the usage of the limits of a policy, for each client',
  input: z.strictObject({
    id: Ref,
    client: Ref.optional().describe('Only counters for this client'),
    value: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .describe('For limits keyed by ip, tool, user, claim or header: value of the key, such as an address'),
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
    // Stored by the schema of this type, or an older one whose members are those that are not optional.
    const spec = policy.spec as unknown as PolicySpec
    const specs = limitsOf(spec)
    const fragment = compilePolicy({ id: policy.id, slug: policy.slug, spec })
    const limits = fragment.limits.map((limit) => linkLimit(fragment, limit))
    if (!(await isAttached(policy, context)))
      return { ...head(policy, spec), items: [], warnings: [NOT_ATTACHED], truncated: false }
    const items: UsageItem[] = []
    const seen = new Set<string>()
    for await (const place of placesOf(policy, only, context)) {
      for (const [index, limit] of limits.entries()) {
        const planned = countedAt(limit, place, value ?? null)
        // A counter that several places share is shown once.
        const name = `${index} ${planned.low} ${planned.high}`
        if (seen.has(name)) continue
        seen.add(name)
        if (items.length === ITEMS_MAX) return { ...head(policy, spec), items, truncated: true }
        items.push(toItem(specs[index]!, planned, place, value ?? null, context))
      }
    }
    return { ...head(policy, spec), items, truncated: false }
  },
})

function head(policy: Resource, { active }: PolicySpec) {
  return { id: policy.id, slug: policy.slug, active }
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
  const ownMax = reading?.ownMax ?? partOf(max, context.limits.nodes, limit.cost)
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
