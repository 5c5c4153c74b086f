import { z } from 'zod'
import { contentHash, textHash } from '../../base/json/canonical.ts'
import type { Plain } from '../../base/json/storable.ts'
import { refuse } from '../../base/refusal.ts'
import { inSlices, yieldThread } from '../../base/threads/time-slices.ts'
import { refersTo } from '../../model/annotations.ts'
import {
  CAPABILITY_TYPES,
  type CapabilityRules,
  type CapabilityType,
  DRIFT_TYPES,
  type DriftType,
} from '../../model/mcp/capability.ts'
import {
  type Approved,
  approvalOf,
  type DriftKey,
  deliveredInstructions,
  driftPaused,
  heldBack,
  inReadingOrder,
  isAsApproved,
  itemsByKey,
  type Listed,
  NO_INSTRUCTIONS,
  type Uncovered,
  uncoveredIn,
} from '../../model/mcp/capability-drift.ts'
import { Ref } from '../../model/members.ts'
import { rulesOf } from '../../snapshot/compile/capability-rules.ts'
import { publicNamesOf } from '../../snapshot/compile/mcp.ts'
import { virtualMcpSource } from '../../snapshot/compile/sources.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, define } from '../engine/define.ts'
import { diffOf } from '../engine/diff.ts'
import { fromCursor, page, pageOf, toCursor } from '../engine/lists.ts'
import type { DiffEntry } from '../engine/write-options.ts'
import { virtualMcpKind } from './kind.ts'
import { type DriftState, driftStateOf, putDriftState } from './state.ts'

/** One item of an origin that is not as it was approved. */
export interface Drifted {
  /** Id and slug of the origin. */
  readonly origin: string
  readonly slug: string
  readonly type: DriftType
  readonly key: string
  /** Public name; null where it has none yet. */
  readonly name: string | null
  readonly change: 'added' | 'changed' | 'removed'
  /** Of the item as it is now; null where it is gone. */
  readonly hash: string | null
  readonly held: boolean
  readonly rejected: boolean
  /** Of type `metadata` alone: what its approval stores. */
  readonly approvals?: Uncovered['approvals']
  /** From what was approved, a new or removed item as a whole; null where that is not known. */
  readonly diff: readonly DiffEntry[] | null
}

/** Everything of a virtual MCP that is not as it was approved, by member, in the order of the catalogue. */
async function driftIn(reader: ConfigReader, virtualMcp: Resource): Promise<Drifted[]> {
  const source = await virtualMcpSource(reader, virtualMcp)
  const names = publicNamesOf(source)
  const named = new Map<string, string>(
    CAPABILITY_TYPES.flatMap((type) =>
      names[type].map(({ member, key, name }) => [`${member} ${type} ${key}`, name] as const),
    ),
  )
  const state = await driftStateOf(reader, virtualMcp.id)
  const all: Drifted[] = []
  for (const { origin, capability_policy } of source.virtualMcp.spec.members) {
    const [known, approved] = [source.origins.get(origin), state.approved[origin]]
    if (known === undefined || approved === undefined || capability_policy.pin === 'off') continue
    const rules = rulesOf(capability_policy)
    const listed = { catalogue: known.catalogue, instructions: known.instructions ?? '' }
    const drift = await inSlices(driftPaused(approved, listed))
    const items = await itemsOf(listed)
    for (const change of ['added', 'changed', 'removed'] as const)
      for (const { type, key } of drift[change]) {
        const { item, hash, held, approvals } = currentOf({ type, key }, listed, items, approved, rules)
        const before = state.items[origin]?.[type]
        const was = before !== undefined && Object.hasOwn(before, key) ? before[key] : undefined
        const rejected = state.rejected[origin]?.[type] ?? {}
        all.push({
          origin,
          slug: known.slug,
          type,
          key,
          name: named.get(`${origin} ${type} ${key}`) || null,
          change,
          hash,
          held,
          rejected: hash !== null && Object.hasOwn(rejected, key) && isAsApproved(rejected[key]!, hash),
          ...(approvals === undefined ? {} : { approvals }),
          diff: change !== 'added' && was === undefined ? null : capabilityDiff(type, was, item),
        })
        await yieldThread(all.length)
      }
  }
  return all
}

type Items = Readonly<Record<CapabilityType, ReadonlyMap<string, Plain>>>

async function itemsOf({ catalogue }: Listed): Promise<Items> {
  const items = {} as Record<CapabilityType, ReadonlyMap<string, Plain>>
  for (const type of CAPABILITY_TYPES) {
    items[type] = itemsByKey(type, catalogue[type])
    await yieldThread(0)
  }
  return items
}

/** What has drifted as it is now: its content, what its approval stores, and whether clients receive it. */
function currentOf(
  { type, key }: DriftKey,
  listed: Listed,
  items: Items,
  approved: Approved,
  rules: CapabilityRules,
): {
  readonly item: Plain | undefined
  readonly hash: string | null
  readonly held: boolean
  readonly approvals?: Uncovered['approvals']
} {
  if (type === 'metadata') {
    const { content, approvals } = uncoveredIn(approved, listed)!
    return { item: content, hash: contentHash(content), held: rules.pin === 'strict', approvals }
  }
  if (type === 'instructions') {
    const { instructions } = listed
    if (instructions === '') return { item: undefined, hash: NO_INSTRUCTIONS, held: false }
    const held = deliveredInstructions(rules, approved, instructions) === ''
    return { item: { instructions }, hash: textHash(instructions), held }
  }
  const item = items[type].get(key)
  if (item === undefined) return { item, hash: null, held: false }
  const hash = approvalOf(type, item)
  return { item, hash, held: heldBack(rules, approved, { type, key }, () => hash) !== null }
}

const DriftItem = z.object({
  origin: z.string().meta(refersTo('origins')).describe('Slug of the origin'),
  type: z
    .enum(DRIFT_TYPES)
    .describe(
      'instructions: the text that models read before the first call. metadata: icons, _meta, execution and other members, and instructions, which approvals of a development version do not cover',
    ),
  key: z
    .string()
    .describe('Name at the origin; for a resource its URI; for instructions and metadata the type itself'),
  name: z.string().nullable().describe('Name at the virtual MCP'),
  change: z.enum(['added', 'changed', 'removed']),
  held: z
    .boolean()
    .describe('True if it is hidden until an administrator approves it; calls of a held item are refused'),
  rejected: z.boolean().describe('True if the current state was rejected'),
  hash: z.string().nullable().describe('Hash of the current item, for resolve_drift'),
  diff: z
    .array(z.looseObject({ op: z.string(), path: z.string() }))
    .nullable()
    .describe('Changes since the approval; added and removed items are complete; null if unknown'),
})

export const listDrift = define({
  resource: 'virtual_mcps',
  action: 'list_drift',
  effect: 'read',
  tool: 'list_virtual_mcp_drift',
  group: virtualMcpKind.group,
  summary: 'List items that origins have added, changed or removed since the approval, with the differences',
  input: z.strictObject({
    id: Ref,
    held: z
      .preprocess((value) => (value === 'true' ? true : value === 'false' ? false : value), z.boolean())
      .optional()
      .describe('true: only held items; false: only other items'),
    ...page,
  }),
  output: pageOf(DriftItem),
  permission: 'virtual_mcps:read',
  refuses: ['not_found'],
  columns: ['origin', 'type', 'key', 'change', 'held', 'rejected', 'hash', 'diff'],
  ...about(virtualMcpKind),
  handle: async ({ id, held, limit, cursor }, context) => {
    const virtualMcp = await context.find('virtual_mcps', id)
    const drift = await driftIn(context.whole, virtualMcp)
    const all = drift.filter((one) => held === undefined || one.held === held)
    const from = cursor === undefined ? 0 : Number(fromCursor(cursor, /^[0-9]{1,6}$/))
    const items = all.slice(from, from + limit).map(({ origin: _id, approvals: _, slug, diff, ...one }) => ({
      ...one,
      origin: slug,
      diff: diff === null ? null : diff.map((entry) => ({ ...entry })),
    }))
    return { items, next_cursor: from + limit < all.length ? toCursor(String(from + limit)) : null }
  },
})

/** Virtual MCPs that one answer covers: the items of each are compared. */
const ALL = 10_000

const Drifted = z.object({
  id: z.string(),
  slug: z.string(),
  name: z.string(),
  undecided: z.int().describe('Number of items that differ from the approved state and were not rejected'),
  held: z.int().describe('Number of items that are hidden until they are approved, including rejected ones'),
  items: z.int().describe('Items of list_drift'),
})

export const listDrifted = define({
  resource: 'virtual_mcps',
  action: 'drifted',
  effect: 'read',
  tool: 'list_drifted_virtual_mcps',
  group: virtualMcpKind.group,
  summary: 'List virtual MCPs whose origins have added, changed or removed items since the approval',
  input: z.strictObject(page),
  output: pageOf(Drifted),
  permission: 'virtual_mcps:read',
  refuses: [],
  columns: ['slug', 'name', 'undecided', 'held', 'items'],
  subject: () => ({ type: virtualMcpKind.noun, id: null, slug: null }),
  handle: async ({ limit, cursor }, { reader, whole }) => {
    const all: z.output<typeof Drifted>[] = []
    for (const virtualMcp of await reader.list({ type: 'virtual_mcps', limit: ALL })) {
      const drift = await driftIn(whole, virtualMcp)
      if (drift.length === 0) continue
      const { id, slug, spec } = virtualMcp
      const undecided = drift.filter(({ rejected }) => !rejected).length
      const held = drift.filter((one) => one.held).length
      all.push({ id, slug, name: String(spec['name']), undecided, held, items: drift.length })
    }
    all.sort((a, b) => b.undecided - a.undecided || (a.slug < b.slug ? -1 : 1))
    const from = cursor === undefined ? 0 : Number(fromCursor(cursor, /^[0-9]{1,6}$/))
    const to = from + limit
    return { items: all.slice(from, to), next_cursor: all.length > to ? toCursor(String(to)) : null }
  },
})

/**
 * What has changed in an item since it was approved, member by member; values over 8,192 characters of JSON are named by their
 * length. Without one of the two, the item is added or removed: each of its members is.
 */
export function capabilityDiff(
  type: DriftType,
  approved: Plain | undefined,
  current: Plain | undefined,
): DiffEntry[] {
  const ordered = (item: Plain | undefined): Plain =>
    item === undefined || type === 'instructions' || type === 'metadata'
      ? (item ?? {})
      : inReadingOrder(type, item)
  return diffOf(ordered(approved), ordered(current))
}

const ITEMS_MAX = 2000
/** Items of a decision that the audit trail names. */
const NOTED_MAX = 200

const Item = z.strictObject({
  origin: Ref,
  type: z.enum(DRIFT_TYPES),
  key: z.string().max(8192),
  hash: z
    .string()
    .max(128)
    .optional()
    .describe('Hash from list_drift: the request is refused if the item has changed since then'),
})

export const resolveDrift = define({
  resource: 'virtual_mcps',
  action: 'resolve_drift',
  effect: 'act',
  tool: 'resolve_virtual_mcp_drift',
  group: virtualMcpKind.group,
  summary: 'Approve or reject items that origins have changed or added since they were approved',
  input: z.strictObject({
    id: Ref,
    decision: z.enum(['approve', 'reject']),
    items: z.array(Item).max(ITEMS_MAX).default([]).describe('Items of list_drift'),
    all: z.boolean().default(false).describe('All items of list_drift'),
  }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    revision: z.int(),
    resolved: z.int().describe('Number of decided items'),
    left: z.int().describe('Number of items that still differ from the approved state and were not rejected'),
  }),
  permission: 'virtual_mcps:update',
  refuses: ['not_found', 'configuration_invalid', 'revision_conflict', 'idempotency_conflict'],
  columns: ['slug', 'resolved', 'left'],
  ...about(virtualMcpKind),
  handle: async ({ id, decision, items, all }, context) => {
    const virtualMcp = await context.change.act('virtual_mcps', id)
    if (items.length === 0 && !all)
      throw refuse('input_invalid', {
        detail: 'Name items, or set all.',
        errors: [{ pointer: '/items', reason: 'required unless all is true' }],
      })
    const drift = await driftIn(context.whole, virtualMcp)
    const chosen = all ? drift : chosenOf(drift, items)
    if (decision === 'reject') refuseShown(chosen)
    const before = await driftStateOf(context.whole, virtualMcp.id)
    await putDriftState(virtualMcp.id, resolved(before, chosen, decision), context)
    const stored = await noted(chosen, decision, virtualMcp.id, context)
    const left = (await driftIn(context.whole, stored)).filter(({ rejected }) => !rejected).length
    context.change.finding = `${decision === 'approve' ? 'Approved' : 'Rejected'} ${chosen.length} items.`
    return { id: stored.id, slug: stored.slug, revision: stored.revision, resolved: chosen.length, left }
  },
})

function chosenOf(drift: readonly Drifted[], items: readonly z.output<typeof Item>[]): Drifted[] {
  const named = new Map(
    drift.flatMap((one) =>
      [one.origin, one.slug].map((origin) => [placeOf(origin, one.type, one.key), one] as const),
    ),
  )
  return items.map((item, index) =>
    asListed(named.get(placeOf(item.origin, item.type, item.key)), item, index),
  )
}

/** Callers write the origin, so the parts have to stay apart whatever they contain. */
function placeOf(origin: string, type: string, key: string): string {
  return JSON.stringify([origin, type, key])
}

function asListed(one: Drifted | undefined, { hash }: z.output<typeof Item>, index: number): Drifted {
  if (one === undefined)
    throw refuse('configuration_invalid', {
      detail: `Item ${index} has not changed since its approval, or does not exist.`,
      errors: [{ pointer: `/items/${index}`, reason: 'not in list_drift' }],
    })
  if (hash !== undefined && hash !== one.hash)
    throw refuse('revision_conflict', {
      detail: `Item ${index} has changed since it was listed. List the drift again.`,
      errors: [{ pointer: `/items/${index}/hash`, reason: 'not the hash of the current item' }],
    })
  return one
}

/** What is shown all the same cannot be rejected: that would say more than it does. */
function refuseShown(chosen: readonly Drifted[]): void {
  const shown = chosen.find(({ held }) => !held)
  if (shown === undefined) return
  throw refuse('configuration_invalid', {
    detail: `The policy of ${shown.slug} does not hold back "${shown.key}", so rejecting it changes nothing. Set pin to strict and new_items to hide, or add a deny entry.`,
  })
}

function resolved(state: DriftState, chosen: readonly Drifted[], decision: 'approve' | 'reject'): DriftState {
  const approved = toMaps(state.approved)
  const items = toMaps(state.items)
  const rejected = toMaps(state.rejected)
  for (const { origin, type, key, hash, approvals } of chosen) {
    const at = `${origin} ${type}`
    if (decision === 'reject') {
      put(rejected, at, key, hash)
      continue
    }
    for (const one of approvals ?? [{ type, key, hash }])
      put(approved, `${origin} ${one.type}`, one.key, one.hash)
    put(items, at, key, null)
    put(rejected, at, key, null)
  }
  const whole = Object.fromEntries(
    Object.entries(fromMaps(approved)).map(([origin, types]) => [
      origin,
      { tools: {}, prompts: {}, resources: {}, resource_templates: {}, ...types },
    ]),
  )
  return {
    approved: { ...emptied(state.approved), ...(whole as Record<string, Approved>) },
    items: fromMaps(items) as DriftState['items'],
    rejected: fromMaps(rejected) as DriftState['rejected'],
  }
}

/** An origin of which nothing is approved holds everything back; one without an entry nothing. */
function emptied(approved: DriftState['approved']): DriftState['approved'] {
  const none: Approved = { tools: {}, prompts: {}, resources: {}, resource_templates: {} }
  return Object.fromEntries(Object.keys(approved).map((origin) => [origin, none]))
}

type Maps = Map<string, Map<string, unknown>>

/** By origin and type: keys are texts of servers, which no object should have as names. */
function toMaps(state: Readonly<Record<string, object>>): Maps {
  return new Map(
    Object.entries(state).flatMap(([origin, types]) =>
      Object.entries(types).map(([type, values]) => [`${origin} ${type}`, new Map(Object.entries(values))]),
    ),
  )
}

function fromMaps(maps: Maps): Record<string, Record<string, object>> {
  const state: Record<string, Record<string, object>> = {}
  for (const [at, values] of maps) {
    if (values.size === 0) continue
    const [origin, type] = at.split(' ') as [string, string]
    state[origin] = { ...state[origin], [type]: Object.fromEntries(values) }
  }
  return state
}

/** @param value null takes it away */
function put(maps: Maps, at: string, key: string, value: unknown): void {
  const values = maps.get(at) ?? new Map<string, unknown>()
  if (value === null) values.delete(key)
  else values.set(key, value)
  maps.set(at, values)
}

/** Counts a revision of the virtual MCP, with what was decided. */
async function noted(
  chosen: readonly Drifted[],
  decision: 'approve' | 'reject',
  id: string,
  { change, whole }: OperationContext,
) {
  const stored = (await whole.byId('virtual_mcps', id))!
  if (chosen.length === 0) return stored
  const all = chosen.map(({ slug, type, key, change: kind, hash }) => ({
    origin: slug,
    type,
    key,
    change: kind,
    hash,
  }))
  // An approval is for what was shown: of items that are not named, their digest says whether they have changed since
  const unnamed = all.length > NOTED_MAX ? { digest: contentHash(all) } : {}
  return change.note(stored, {
    op: 'replace',
    path: '/drift',
    value: { decision, count: all.length, items: all.slice(0, NOTED_MAX), ...unnamed },
  })
}
