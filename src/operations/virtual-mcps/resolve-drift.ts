import { z } from 'zod'
import { contentHash } from '../../base/json/canonical.ts'
import { refuse } from '../../base/refusal.ts'
import { DRIFT_TYPES } from '../../model/mcp/capability.ts'
import type { Approved } from '../../model/mcp/capability-drift.ts'
import { Ref } from '../../model/members.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, define } from '../engine/define.ts'
import { type Drifted, driftIn } from './drift.ts'
import { virtualMcpKind } from './kind.ts'
import { type DriftState, driftStateOf, putDriftState } from './state.ts'

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
    .describe('As in list_drift: refuses when the item has changed since then'),
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
    resolved: z.int().describe('Items that were decided'),
    left: z.int().describe('Items that still differ from what is approved and were not rejected'),
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
    const chosen = all ? drift : items.map((item, index) => found(drift, item, index))
    if (decision === 'reject') refuseShown(chosen)
    const before = await driftStateOf(context.whole, virtualMcp.id)
    await putDriftState(virtualMcp.id, resolved(before, chosen, decision), context)
    const stored = await noted(chosen, decision, virtualMcp.id, context)
    const left = (await driftIn(context.whole, stored)).filter(({ rejected }) => !rejected).length
    context.change.finding = `${decision === 'approve' ? 'Approved' : 'Rejected'} ${chosen.length} items.`
    return { id: stored.id, slug: stored.slug, revision: stored.revision, resolved: chosen.length, left }
  },
})

function found(drift: readonly Drifted[], item: z.output<typeof Item>, index: number): Drifted {
  const { origin, type, key, hash } = item
  const one = drift.find(
    (drifted) =>
      (drifted.slug === origin || drifted.origin === origin) && drifted.type === type && drifted.key === key,
  )
  if (one === undefined)
    throw refuse('configuration_invalid', {
      detail: `Item ${index} is as it was approved, or is not there.`,
      errors: [{ pointer: `/items/${index}`, reason: 'not in list_drift' }],
    })
  if (hash !== undefined && hash !== one.hash)
    throw refuse('revision_conflict', {
      detail: `Item ${index} has changed since it was listed. List the drift again.`,
      errors: [{ pointer: `/items/${index}/hash`, reason: 'not the hash of the item as it is now' }],
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
