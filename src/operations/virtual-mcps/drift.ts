import { z } from 'zod'
import { contentHash, textHash } from '../../base/json/canonical.ts'
import type { Plain } from '../../base/json/plain.ts'
import { refersTo } from '../../model/annotations.ts'
import { type CapabilityRules, DRIFT_TYPES, type DriftType } from '../../model/mcp/capability.ts'
import {
  type Approved,
  approvalOf,
  type DriftKey,
  deliveredInstructions,
  driftOf,
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
import { about, define } from '../engine/define.ts'
import { diffOf } from '../engine/diff.ts'
import { fromCursor, page, pageOf, toCursor } from '../engine/lists.ts'
import type { DiffEntry } from '../engine/write-options.ts'
import { virtualMcpKind } from './kind.ts'
import { driftStateOf } from './state.ts'

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
export async function driftIn(reader: ConfigReader, virtualMcp: Resource): Promise<Drifted[]> {
  const source = await virtualMcpSource(reader, virtualMcp)
  const names = publicNamesOf(source)
  const state = await driftStateOf(reader, virtualMcp.id)
  const all: Drifted[] = []
  for (const { origin, capability_policy } of source.virtualMcp.spec.members) {
    const [known, approved] = [source.origins.get(origin), state.approved[origin]]
    if (known === undefined || approved === undefined || capability_policy.pin === 'off') continue
    const rules = rulesOf(capability_policy)
    const listed = { catalogue: known.catalogue, instructions: known.instructions ?? '' }
    const drift = driftOf(approved, listed)
    for (const change of ['added', 'changed', 'removed'] as const)
      for (const { type, key } of drift[change]) {
        const { item, hash, held, approvals } = currentOf({ type, key }, listed, approved, rules)
        const before = state.items[origin]?.[type]
        const was = before !== undefined && Object.hasOwn(before, key) ? before[key] : undefined
        const rejected = state.rejected[origin]?.[type] ?? {}
        const isNamed = type !== 'instructions' && type !== 'metadata'
        all.push({
          origin,
          slug: known.slug,
          type,
          key,
          name:
            (isNamed && names[type].find((one) => one.member === origin && one.key === key)?.name) || null,
          change,
          hash,
          held,
          rejected: hash !== null && Object.hasOwn(rejected, key) && isAsApproved(rejected[key]!, hash),
          ...(approvals === undefined ? {} : { approvals }),
          diff: change !== 'added' && was === undefined ? null : capabilityDiff(type, was, item),
        })
      }
  }
  return all
}

/** What has drifted as it is now: its content, what its approval stores, and whether clients receive it. */
function currentOf(
  { type, key }: DriftKey,
  listed: Listed,
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
  const item = itemsByKey(type, listed.catalogue[type]).get(key)
  if (item === undefined) return { item, hash: null, held: false }
  const hash = approvalOf(type, item)
  return { item, hash, held: heldBack(rules, approved, { type, key }, () => hash) !== null }
}

const DriftItem = z.object({
  origin: z.string().meta(refersTo('origins')).describe('Slug of the origin'),
  type: z
    .enum(DRIFT_TYPES)
    .describe(
      'instructions: the text that models read before the first call. metadata: icons, _meta, execution and other members, and instructions, which an approval by an earlier version does not cover',
    ),
  key: z
    .string()
    .describe('Name at the origin; of a resource its URI; of instructions and metadata the type itself'),
  name: z.string().nullable().describe('Name at the virtual MCP'),
  change: z.enum(['added', 'changed', 'removed']),
  held: z.boolean().describe('Not delivered until somebody approves it; calls of a held item are refused'),
  rejected: z.boolean().describe('Somebody has rejected it as it is now'),
  hash: z.string().nullable().describe('Hash of the item as it is now, for resolve_drift'),
  diff: z
    .array(z.looseObject({ op: z.string(), path: z.string() }))
    .nullable()
    .describe(
      'What has changed since the approval, an added or removed item as a whole; null where that is not known',
    ),
})

export const listDrift = define({
  resource: 'virtual_mcps',
  action: 'list_drift',
  effect: 'read',
  tool: 'list_virtual_mcp_drift',
  group: virtualMcpKind.group,
  summary: 'List what origins have added, changed or removed since it was approved, with the differences',
  input: z.strictObject({
    id: Ref,
    held: z
      .preprocess((value) => (value === 'true' ? true : value === 'false' ? false : value), z.boolean())
      .optional()
      .describe('Only items that are held back, or only others'),
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
  undecided: z.int().describe('Items that differ from what is approved and were not rejected'),
  held: z.int().describe('Items that are hidden until they are approved, with rejected ones'),
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
