import { isDeepStrictEqual } from 'node:util'
import type { z } from 'zod'
import { type FieldError, Refusal, refuse, type Sought } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import { isReference } from '../../model/api/credential-facts.ts'
import { secretHeadersOf, withHeaderSecrets, withKeptReferences } from '../../model/api/injected-header.ts'
import { inWords, NOUNS, type ResourceType } from '../../model/resource-types.ts'
import type { ConfigReader, StoredApplied, StoredPlan } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { diffOf } from '../engine/diff.ts'
import { mapRefs, refsIn } from '../engine/refs.ts'
import { KEEP, NOTHING_STAYS } from '../engine/resource-secrets.ts'
import type { DiffEntry } from '../engine/write-options.ts'
import { addressOf, mapEndpoints } from './address.ts'
import { inDependence, type Side, type Step } from './order.ts'
import { refuseFaults } from './read-documents.ts'
import { createDiffBound, type DriftItem, type PlanItem } from './schemas.ts'
import {
  completed,
  type Desired,
  readState,
  type State,
  secretMembersOf,
  toWords,
  withoutSecrets,
} from './state.ts'

/** What was changed in the instance since the documents were applied last. */
interface Drift {
  readonly item: string
  readonly side: Exclude<Side, 'documents'>
  readonly diff: readonly DiffEntry[]
}

export interface Steps {
  /** In the order in which they are done. */
  readonly steps: readonly Step[]
  readonly drift: readonly Drift[]
  readonly unchanged: number
  /** What is to be remembered as applied: the words of each document by address. */
  readonly words: ReadonlyMap<string, Fields>
  readonly applied: ReadonlyMap<string, StoredApplied>
  readonly state: State
}

export interface Manner {
  /** Name of the set of documents. */
  readonly owner: string
  readonly prune: boolean
  readonly takeOver: boolean
}

/** Compares documents with the configuration as the principal sees it. Refuses references that lead nowhere. */
export async function toSteps(
  desired: readonly Desired[],
  { owner, prune, takeOver }: Manner,
  context: Pick<OperationContext, 'vault' | 'demand'> & { readonly reader: ConfigReader },
): Promise<Steps> {
  const state = await readState(context.reader)
  const applied = await byAddress(await context.reader.applied(owner))
  const named = await byAddress(desired)
  const errors: FieldError[] = []
  const sought: Sought[] = []
  const steps: Step[] = []
  const drift: Drift[] = []
  const words = new Map<string, Fields>()
  let done = 0
  for (const one of desired) {
    const before = state.byAddress.get(one.address) ?? null
    if (before !== null) await context.demand(`${one.kind.type}:read`, before)
    if (before?.managed_by != null && before.managed_by !== owner && !takeOver)
      throw refuse('managed_elsewhere', {
        detail: `${one.address} is managed by "${before.managed_by}". Remove it from that set, take it over (take_over), or apply as that set (name).`,
        errors: [{ pointer: one.place, reason: `managed by "${before.managed_by}"` }],
      })
    const wanted = await inWordsOf(one, before, named, state, { errors, sought })
    const is = before === null ? null : await toWords(state, before)
    const step = await compare(one, before, is, wanted, state, context, errors)
    const plain = withoutSecrets(one.kind, wanted)
    words.set(one.address, plain)
    const last = before !== null || (await seesGone(one, context)) ? applied.get(one.address) : undefined
    const seen = last === undefined ? null : sidesOf(one, last, plain, is)
    const isOwned = before?.managed_by === owner
    if (step !== null || (before !== null && !isOwned))
      steps.push({
        ...(step ?? { diff: [], spec: wanted }),
        item: one.address,
        action: before === null ? 'create' : step === null ? 'adopt' : 'update',
        before,
        desired: one,
        side: seen?.side ?? null,
      })
    if (seen?.drift != null) drift.push(seen.drift)
    await yieldThread(++done)
  }
  refuseFaults(errors, sought)
  if (prune)
    for (const [address, resource] of state.byAddress) {
      if (resource.managed_by !== owner || named.has(address)) continue
      await context.demand(`${resource.type}:read`, resource)
      const spec = await toWords(state, resource)
      const diff = diffOf(spec, undefined)
      steps.push({ action: 'remove', item: address, before: resource, desired: null, spec, diff, side: null })
      await yieldThread(++done)
    }
  return {
    steps: await inDependence(steps, state),
    drift,
    unchanged: desired.length - steps.filter(({ action }) => action !== 'remove').length,
    words,
    applied,
    state,
  }
}

async function byAddress<One extends { readonly address: string }>(
  all: readonly One[],
): Promise<ReadonlyMap<string, One>> {
  const found = new Map<string, One>()
  for (const one of all) {
    found.set(one.address, one)
    await yieldThread(found.size)
  }
  return found
}

/** What is not there for a principal may be there for others: then what was applied of it is not for this one either. */
async function seesGone(
  { kind: { type } }: Desired,
  { demand }: Pick<OperationContext, 'demand'>,
): Promise<boolean> {
  try {
    await demand(`${type}:read`, { type, id: '', parent: null, spec: {} })
    return true
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
}

/** The spec of a document with references as slugs, and with what it leaves to the instance. */
async function inWordsOf(
  { kind, spec, silent, place }: Desired,
  before: Resource | null,
  named: ReadonlyMap<string, Desired>,
  state: State,
  { errors, sought }: { readonly errors: FieldError[]; readonly sought: Sought[] },
): Promise<Fields> {
  const missing = (pointer: string, called: string, type: ResourceType, ref: string): void => {
    const reason = `there is no ${called}, in the documents or in the instance`
    errors.push({ pointer: `${place}/spec${pointer}`, reason })
    sought.push({ type, ref })
  }
  const kept =
    before === null
      ? {}
      : Object.fromEntries(
          silent.flatMap((name) => (name in before.spec ? [[name, before.spec[name]] as const] : [])),
        )
  // What it refers to already may stay, also where it is not seen
  const referred = new Set(
    before === null
      ? []
      : refsIn(kind, before.spec).map(({ type, ref }) => addressOf(type, state.called.get(ref) ?? ref)),
  )
  const words = await mapRefs(kind, { ...spec, ...kept }, (ref, { type }, pointer) => {
    const known = state.byId.get(ref)
    if (known?.type === type) return state.called.get(ref) ?? known.slug
    const address = addressOf(type, ref)
    if (!named.has(address) && !state.byAddress.has(address) && !referred.has(address))
      missing(pointer, `${inWords(NOUNS[type])} "${ref}"`, type, ref)
    return ref
  })
  const settled = before === null ? words : withKeptReferences(words, before.spec)
  return mapEndpoints(kind, settled, (entry) => {
    if (entry.startsWith('proxy/') && !named.has(entry) && !state.byAddress.has(entry))
      missing('/endpoints', entry, 'proxies', entry.slice('proxy/'.length))
    return entry
  })
}

/** What differs, and the spec to write; null when nothing does. */
async function compare(
  { kind, kept, place }: Desired,
  before: Resource | null,
  is: Fields | null,
  wanted: Fields,
  state: State,
  context: Pick<OperationContext, 'vault' | 'demand'>,
  errors: FieldError[],
): Promise<Pick<Step, 'spec' | 'diff'> | null> {
  const auth: Record<string, unknown> = { ...(wanted['auth'] as Fields | undefined) }
  const notes: DiffEntry[] = []
  for (const field of secretMembersOf(kind, wanted)) {
    const stored = state.secrets.get(before?.id ?? '')?.find((one) => one.field === field)
    const reference = (before?.spec['auth'] as Fields | undefined)?.[field]
    if (kept.includes(field)) {
      if (isReference(reference)) auth[field] = reference
      else if (stored === undefined)
        errors.push({
          pointer: `${place}/spec/auth/${field}`,
          reason: 'no secret is stored yet; give its source: {"env"}, {"file"} or {"vault"}',
        })
      continue
    }
    const text = (auth[field] as { readonly value?: string } | undefined)?.value
    if (text === undefined) continue
    if (stored !== undefined && (await isStored(text, stored.sealed, before!, field, context)))
      auth[field] = { value: KEEP }
    else
      notes.push({ op: stored === undefined ? 'add' : 'replace', path: `/auth/${field}`, value: 'changed' })
  }
  const headers = await compareHeaders(wanted, before, place, state, context, errors)
  notes.push(...headers.notes)
  const spec = kind.secrets === undefined ? headers.spec : { ...wanted, auth }
  const plain = withoutSecrets(kind, spec)
  if (is === null) return { spec, diff: [...diffOf(undefined, plain), ...notes] }
  if (notes.length === 0 && isDeepStrictEqual(is, plain)) return null
  const diff = [...diffOf(completed(kind, is), plain), ...notes]
  return diff.length === 0 ? null : { spec, diff }
}

/** The spec to write, without secrets of headers that are stored already, and what differs of the others. */
async function compareHeaders(
  wanted: Fields,
  before: Resource | null,
  place: string,
  state: State,
  context: Pick<OperationContext, 'vault' | 'demand'>,
  errors: FieldError[],
): Promise<Pick<Step, 'spec'> & { readonly notes: readonly DiffEntry[] }> {
  const notes: DiffEntry[] = []
  const same = new Set<string>()
  for (const { field, pointer, source } of secretHeadersOf(wanted)) {
    if (isReference(source)) continue
    const stored = state.secrets.get(before?.id ?? '')?.find((one) => one.field === field)
    if (source === undefined) {
      if (stored === undefined) errors.push({ pointer: `${place}/spec${pointer}`, reason: NOTHING_STAYS })
    } else if (stored !== undefined && (await isStored(source.value, stored.sealed, before!, field, context)))
      same.add(field)
    else notes.push({ op: stored === undefined ? 'add' : 'replace', path: `/${field}`, value: 'changed' })
  }
  return {
    spec: withHeaderSecrets(wanted, ({ field, source }) => (same.has(field) ? undefined : source)),
    notes,
  }
}

/** Only for who may set the secret: others could try what it is. */
async function isStored(
  text: string,
  sealed: string,
  owner: Resource,
  field: string,
  { vault, demand }: Pick<OperationContext, 'vault' | 'demand'>,
): Promise<boolean> {
  try {
    await demand(`${owner.type}:update`, owner)
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
  return vault.open(sealed, owner.id, field).reveal() === text
}

/** Which side has changed since the last time; drift where the instance has. */
function sidesOf(
  { kind, address }: Desired,
  last: StoredApplied,
  wanted: Fields,
  is: Fields | null,
): { side: Side | null; drift: Drift | null } {
  const none = { side: null, drift: null }
  // Both are as they were, or were changed in the same way
  if (isDeepStrictEqual(is, wanted)) return none
  const was = completed(kind, last.spec)
  const now = is === null ? undefined : completed(kind, is)
  if (isDeepStrictEqual(now, wanted)) return none
  const byDocuments = !isDeepStrictEqual(was, wanted)
  const diff = diffOf(was, now)
  if (diff.length === 0) return { side: byDocuments ? 'documents' : null, drift: null }
  const side = byDocuments ? 'both' : 'instance'
  return { side, drift: { item: address, side, diff } }
}

/** What a plan shows. */
export async function shown({
  steps,
  drift,
  unchanged,
  warnings,
}: Pick<Steps, 'steps' | 'drift' | 'unchanged'> & { readonly warnings: readonly FieldError[] }): Promise<{
  create: number
  update: number
  adopt: number
  remove: number
  unchanged: number
  items: z.output<typeof PlanItem>[]
  drift: z.output<typeof DriftItem>[]
  warnings: FieldError[]
}> {
  const bound = createDiffBound()
  const items: z.output<typeof PlanItem>[] = []
  for (const { action, item, before, side, diff } of steps) {
    const { managed_by = null, revision = null } = before ?? {}
    items.push({ action, item, managed_by, revision, side, diff: bound(diff) })
    await yieldThread(items.length)
  }
  const drifted: z.output<typeof DriftItem>[] = []
  for (const { item, side, diff } of drift) {
    drifted.push({ item, side, diff: bound(diff) })
    await yieldThread(drifted.length)
  }
  return {
    ...countsOf(steps),
    unchanged,
    items,
    drift: drifted,
    warnings: [...warnings],
  }
}

/** How many steps there are of each sort. */
export function countsOf(steps: readonly Step[]) {
  const count = (action: Step['action']): number => steps.filter((step) => step.action === action).length
  return {
    create: count('create'),
    update: count('update'),
    adopt: count('adopt'),
    remove: count('remove'),
  }
}

/** What of a plan is kept: enough to tell whether the same would be done again. */
export function keptSteps(steps: readonly Step[]): StoredPlan['steps'] {
  return steps.map(({ action, item, before }) => ({ action, item, revision: before?.revision ?? null }))
}

/** Refuses with revision_conflict, naming what moved, unless what is to be done is what was planned. */
export async function refuseMoved(planned: StoredPlan['steps'], steps: readonly Step[]): Promise<void> {
  // Planned steps leave this map below
  const unplanned = new Map<string, StoredPlan['steps'][number]>()
  for (const step of keptSteps(steps)) {
    unplanned.set(step.item, step)
    await yieldThread(unplanned.size)
  }
  const gone: string[] = []
  for (const [index, { item, action, revision }] of planned.entries()) {
    const now = unplanned.get(item)
    if (now?.action === action && now.revision === revision) unplanned.delete(item)
    else if (now === undefined) gone.push(item)
    await yieldThread(index + 1)
  }
  const moved = [...unplanned.keys(), ...gone]
  if (moved.length === 0) return
  const named = moved.slice(0, 20)
  throw refuse('revision_conflict', {
    detail: `These resources have changed since the plan: ${named.join(', ')}${moved.length > named.length ? ` and ${moved.length - named.length} more` : ''}. Plan again.`,
    members: { moved: named },
  })
}
