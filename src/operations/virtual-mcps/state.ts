/**
 * State of a virtual MCP that is stored beside its spec. A change of the virtual MCP, or of one of its origins, writes it in its transaction.
 *
 * 1. Public names are given when a published virtual MCP is compiled (operations/engine/kept-names), and stay.
 * 2. Saving the capability policy of a member approves what its origin lists at that moment. Before the first catalogue, that
 *    catalogue is approved.
 * 3. If an approved item has changed or is gone, the approved version is kept, so that the difference can be shown.
 */
import { canonicalJson, textHash } from '../../base/json/canonical.ts'
import type { Plain } from '../../base/json/storable.ts'
import { CAPABILITY_TYPES, type DriftType } from '../../model/mcp/capability.ts'
import {
  type Approved,
  approvalOf,
  approvedOf,
  CATALOGUE,
  type CatalogueState,
  coveredPart,
  isAsApproved,
  itemsByKey,
  type Listed,
} from '../../model/mcp/capability-drift.ts'
import { APPROVED } from '../../snapshot/compile/sources.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'

/** Hashes of items by id of the origin. */
type ApprovedByOrigin = Readonly<Record<string, Approved>>
/** Of what was rejected, by id of the origin, type and key. */
type RejectedByOrigin = Readonly<Record<string, Partial<Record<DriftType, Readonly<Record<string, string>>>>>>

/** Items by id of the origin, type and key. */
type ItemsByOrigin = Readonly<
  Record<string, Readonly<Partial<Record<DriftType, Readonly<Record<string, Plain>>>>>>
>

/** Name of the part {@link ItemsByOrigin}: what was approved of items that are no more as they were. */
const APPROVED_ITEMS = 'approved_items'
/** Name of the part {@link RejectedByOrigin}. */
const REJECTED = 'rejected'

export interface DriftState {
  readonly approved: ApprovedByOrigin
  readonly items: ItemsByOrigin
  readonly rejected: RejectedByOrigin
}

export async function driftStateOf(
  reader: Pick<ConfigReader, 'statesOf'>,
  virtualMcp: string,
): Promise<DriftState> {
  const part = async <T>(name: string): Promise<T> => {
    const [state] = await reader.statesOf([virtualMcp], name)
    // Written below
    return JSON.parse(state?.json ?? '{}') as T
  }
  return {
    approved: await part<ApprovedByOrigin>(APPROVED),
    items: await part<ItemsByOrigin>(APPROVED_ITEMS),
    rejected: await part<RejectedByOrigin>(REJECTED),
  }
}

export async function putDriftState(
  virtualMcp: string,
  { approved, items, rejected }: DriftState,
  { change }: OperationContext,
): Promise<void> {
  const parts = { [APPROVED]: approved, [APPROVED_ITEMS]: items, [REJECTED]: rejected }
  for (const [part, value] of Object.entries(parts))
    await change.writer.putState(
      virtualMcp,
      part,
      Object.keys(value).length === 0 ? null : canonicalJson(value),
    )
}

/** Keeps the approvals of a virtual MCP that was stored. @param before null for a new one */
export async function keepVirtualMcp(
  virtualMcp: Resource<'virtual_mcps'>,
  before: Resource<'virtual_mcps'> | null,
  context: OperationContext,
): Promise<void> {
  const state = await driftStateOf(context.change.writer, virtualMcp.id)
  const policies = policiesOf(before)
  const next: DriftState = { approved: {}, items: {}, rejected: {} }
  for (const [origin, policy] of policiesOf(virtualMcp)) {
    const known = state.approved[origin]
    const isSame = known !== undefined && policies.get(origin) === policy
    const listed = isSame ? null : await listedOf(context.change.writer, origin)
    if (listed !== null) assign(next, origin, { approved: approvedOf(listed.catalogue, listed.instructions) })
    else if (isSame)
      assign(next, origin, {
        approved: known,
        items: state.items[origin],
        rejected: state.rejected[origin],
      })
  }
  await putDriftState(virtualMcp.id, next, context)
}

/** Follows what an origin lists, for each virtual MCP that has the origin. @param before what it listed so far */
export async function followCatalogue(
  origin: string,
  before: Listed | null,
  now: Listed,
  context: OperationContext,
): Promise<void> {
  for (const virtualMcp of await context.whole.usersOf(origin)) {
    if (virtualMcp.type !== 'virtual_mcps') continue
    const state = await driftStateOf(context.change.writer, virtualMcp.id)
    const approved = state.approved[origin]
    const next: DriftState = {
      approved: { ...state.approved },
      items: { ...state.items },
      rejected: { ...state.rejected },
    }
    if (approved === undefined)
      assign(next, origin, { approved: approvedOf(now.catalogue, now.instructions) })
    else {
      const items = itemsBefore(approved, state.items[origin] ?? {}, before, now)
      assign(next, origin, { approved, items, rejected: state.rejected[origin] })
    }
    await putDriftState(virtualMcp.id, next, context)
    if (virtualMcp.status === 'published') context.change.touch(virtualMcp)
  }
}

/** What was approved of items that are not that any more. */
function itemsBefore(
  approved: Approved,
  known: ItemsByOrigin[string],
  before: Listed | null,
  now: Listed,
): ItemsByOrigin[string] {
  const kept: Partial<Record<DriftType, Record<string, Plain>>> = {}
  for (const type of CAPABILITY_TYPES) {
    const [was, is] = [itemsByKey(type, before?.catalogue[type] ?? []), itemsByKey(type, now.catalogue[type])]
    // A key may be that of something that every object inherits
    const items = new Map<string, Plain>()
    for (const [key, hash] of Object.entries(approved[type])) {
      const [old, current] = [was.get(key), is.get(key)]
      if (current !== undefined && isAsApproved(hash, approvalOf(type, current))) continue
      const remembered = known[type]
      if (remembered !== undefined && Object.hasOwn(remembered, key)) items.set(key, remembered[key]!)
      else if (old !== undefined && isAsApproved(hash, approvalOf(type, old)))
        items.set(key, coveredPart(hash, type, old))
    }
    if (items.size > 0) kept[type] = Object.fromEntries(items)
  }
  const hash = approved.instructions?.['instructions']
  if (hash === undefined || hash === textHash(now.instructions)) return kept
  const isOld = before !== null && hash === textHash(before.instructions)
  const text = isOld ? { instructions: { instructions: before.instructions } } : known.instructions
  return text === undefined ? kept : { ...kept, instructions: text }
}

function assign(
  state: DriftState,
  origin: string,
  parts: {
    readonly approved: Approved
    readonly items?: ItemsByOrigin[string] | undefined
    readonly rejected?: RejectedByOrigin[string] | undefined
  },
): void {
  const of = state as Record<keyof DriftState, Record<string, unknown>>
  for (const name of ['approved', 'items', 'rejected'] as const) {
    const value = parts[name]
    if (value === undefined || Object.keys(value).length === 0) delete of[name][origin]
    else of[name][origin] = value
  }
}

function policiesOf(virtualMcp: Resource<'virtual_mcps'> | null): ReadonlyMap<string, string> {
  if (virtualMcp === null) return new Map()
  // Stored by the schema of this type
  const { members } = virtualMcp.spec
  return new Map(members.map(({ origin, capability_policy }) => [origin, canonicalJson(capability_policy)]))
}

/** What an origin lists; null before its first probe. */
async function listedOf(reader: Pick<ConfigReader, 'statesOf'>, origin: string): Promise<Listed | null> {
  const [state] = await reader.statesOf([origin], CATALOGUE)
  // Written by operations/origins
  return state === undefined ? null : listedIn(JSON.parse(state.json) as CatalogueState)
}

/** What approvals cover of what a probe has found. */
export function listedIn({ catalogue, verdict }: CatalogueState): Listed {
  return { catalogue, instructions: verdict.instructions }
}
