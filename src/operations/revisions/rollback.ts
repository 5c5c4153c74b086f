/**
 * A rollback is a change like any other. Secrets stay as they are, and a rollback restores nothing that would admit a
 * caller again.
 */
import { z } from 'zod'
import { newId } from '../../base/ids.ts'
import { canonicalJson } from '../../base/json/canonical.ts'
import { Refusal, refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import { isReference } from '../../model/api/credential-facts.ts'
import { RESOURCE_TYPES, type ResourceType } from '../../model/resource-types.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { CHANGE_REFUSES, define } from '../engine/define.ts'
import { toMake } from '../engine/permission.ts'
import { idsOf, mapRefs } from '../engine/refs.ts'
import { demandElsewhere, demandUse, forgetHeaders, lostHeaders } from '../engine/resource-secrets.ts'
import { KINDS_IN_ORDER, kindOf } from '../kinds.ts'
import {
  about,
  type Moved,
  movedBetween,
  nameOf,
  RevisionId,
  revisionOf,
  slugsOfMoved,
  subjectOf,
} from './revisions.ts'

const Items = z.array(z.string())

export const rollbackRevision = define({
  ...about,
  action: 'rollback',
  effect: 'act',
  destroys: () => true,
  tool: 'rollback_revision',
  summary:
    'Restore the state of an older revision as a new revision; requires confirm with its number. Secrets do not change',
  input: z.strictObject({ id: RevisionId }),
  output: z.object({
    rolled_back_to: z.int(),
    restored: Items.describe('Resources that were deleted since, such as proxies/orders:get-order'),
    changed: Items,
    removed: Items.describe('Resources that were created since'),
    kept: z
      .array(z.object({ item: z.string(), reason: z.string() }))
      .describe('Resources that are not restored, because credentials keep their current state'),
  }),
  permission: 'config:update',
  refuses: [...CHANGE_REFUSES, 'confirmation_required', 'in_use'],
  idempotent: true,
  columns: ['rolled_back_to', 'restored', 'changed', 'removed', 'kept'],
  subject: ({ id }) => subjectOf(id),
  handle: async ({ id }, context) => {
    const { whole, change } = context
    const now = await whole.revision()
    refuseOther(now, context)
    const revision = await revisionOf(whole, id)
    refuseUnconfirmed(id, context)
    // Each resource has an entry of its own in the trail
    change.planId = newId('pln', context.clock)
    const moved = await movedBetween(whole, revision, now)
    const slugs = await slugsOfMoved(whole, moved)
    const { restored, changed, removed, kept } = await rollBack(moved, context)
    const parents = [...restored, ...changed, ...kept.map(({ resource }) => resource)].flatMap(
      ({ parent }) => parent ?? [],
    )
    const after = new Map([...slugs, ...(await whole.slugs(parents))])
    const names = (some: readonly Resource[], by: ReadonlyMap<string, string> = after): string[] =>
      some.map((one) => nameOf(one, by)).sort()
    change.finding = `Rolled back to revision ${revision}: ${restored.length} restored, ${changed.length} changed, ${removed.length} removed.`
    return {
      rolled_back_to: revision,
      restored: names(restored),
      changed: names(changed),
      removed: names(removed, slugs),
      kept: kept.map(({ resource, reason }) => ({ item: nameOf(resource, after), reason })),
    }
  },
})

/** The revision that is expected is that of the configuration. */
function refuseOther(now: number, { options }: OperationContext): void {
  const expected = options.expectedRevision
  if (expected === undefined || expected === now) return
  throw refuse('revision_conflict', {
    detail: `The configuration is at revision ${now}, not ${expected}.`,
    members: { revision: now },
  })
}

function refuseUnconfirmed(id: string, { options }: OperationContext): void {
  if (options.dryRun === true || options.confirm === id) return
  throw refuse('confirmation_required', {
    detail: `Resources that were created since then are removed with their secrets. Check with dry_run, then send confirm: "${id}".`,
    errors: [{ pointer: '/confirm', reason: `must be "${id}"` }],
  })
}

/** What refers is removed before what it refers to, and what lies below before what it lies in. */
const REMOVED_IN: readonly ResourceType[] = KINDS_IN_ORDER.map(({ type }) => type).reverse()

export interface Rolled {
  readonly restored: Resource[]
  readonly changed: Resource[]
  readonly removed: Resource[]
  /** What is not as it was. */
  readonly kept: { readonly resource: Resource; readonly reason: string }[]
}

/**
 * Makes the present state that of before, each resource by the rules and permissions of any other write. What proves
 * somebody stays as it is now: secrets, tokens and the settings they belong to; nothing is switched on.
 */
async function rollBack(moved: readonly Moved[], context: OperationContext): Promise<Rolled> {
  const rolled: Rolled = { restored: [], changed: [], removed: [], kept: [] }
  const standIns = await standInsFor(moved, context)
  const standing = new Set(standIns.values())
  const wanted = moved.filter(({ id }) => !standIns.has(id) && !standing.has(id))
  const gone = wanted.filter(({ from }) => from === null)
  await refuseHeld(gone, context)
  // What is to change may refer to what goes.
  let done = 0
  for (const { id } of wanted) {
    await context.change.writer.link(id, [])
    await yieldThread(++done)
  }
  for (const type of REMOVED_IN)
    for (const { to } of gone)
      if (to?.type === type) {
        await context.change.remove(to)
        rolled.removed.push(to)
        await yieldThread(++done)
      }
  const left = KINDS_IN_ORDER.flatMap(({ type }) => wanted.filter(({ from }) => from?.type === type))
  const absent = new Set(left.flatMap(({ id, to }) => (to === null ? [id] : [])))
  await takeInTurn(left, (one) => putBack(one, standIns, absent, rolled, context))
  return rolled
}

/** Does each; what another one is still in the way of is tried again after that. */
async function takeInTurn(all: readonly Moved[], take: (one: Moved) => Promise<void>): Promise<void> {
  let waiting = all
  let done = 0
  while (waiting.length > 0) {
    const refused: Moved[] = []
    let refusal: Refusal | undefined
    for (const one of waiting)
      try {
        await yieldThread(++done)
        await take(one)
      } catch (error) {
        if (!(error instanceof Refusal) || error.code === 'permission_denied') throw error
        refusal ??= error
        refused.push(one)
      }
    if (refused.length === waiting.length) throw refusal
    waiting = refused
  }
}

/** @param absent what is not there again yet; what refers to it is refused until then */
async function putBack(
  { from, to }: Moved,
  standIns: ReadonlyMap<string, string>,
  absent: Set<string>,
  rolled: Rolled,
  context: OperationContext,
): Promise<void> {
  const was = from!
  const kind = kindOf(was.type)
  const meant = (fields: Fields): Promise<Fields> => mapRefs(kind, fields, (id) => standIns.get(id) ?? id)
  const { spec, reasons } = unproved(was, to, await meant(was.spec))
  const draft = was.draft === null ? null : await meant(was.draft)
  const { id, slug, parent } = was
  const refers = [...idsOf(kind, spec), ...(draft === null ? [] : idsOf(kind, draft))]
  if ([parent, ...refers].some((one) => one !== null && one !== id && absent.has(one)))
    throw refuse('input_invalid', {
      detail: `"${slug}" and a resource that it refers to refer to each other, and both were deleted. Create one of them again, then roll back.`,
    })
  const placed = { type: was.type, id, parent, spec }
  const taken = await context.whole.bySlug(was.type, slug, parent ?? undefined)
  if (taken.some((one) => one.id !== id))
    throw refuse('already_exists', {
      detail: `The slug "${slug}" is now taken by another resource of type ${was.type}.`,
    })
  if (spec['status'] !== undefined && (spec['status'] === 'published') !== (to?.status === 'published'))
    await context.demand(`${was.type}:publish`, to === null ? toMake(placed) : to)
  // Its draft sends nothing anywhere
  const known = to === null ? [] : [to.spec]
  await demandUse(context, kind, spec, id, known)
  await demandElsewhere(context, kind, spec, id, known)
  await kind.check?.(spec, { id, parent }, context)
  const stored =
    to === null
      ? await inserted(was, spec, draft, context)
      : await context.change.replace(to, { spec, draft, slug })
  absent.delete(id)
  if (to !== null) await forgetHeaders(context, to, stored)
  await kind.stored?.(stored, to, context)
  for (const name of await lostHeaders(context, stored))
    rolled.kept.push({ resource: stored, reason: `the secret of header ${name} was deleted; set it again` })
  if (to === null) rolled.restored.push(stored)
  else if (stored !== to) rolled.changed.push(stored)
  else await context.change.writer.link(id, refers)
  for (const reason of reasons) rolled.kept.push({ resource: stored, reason })
}

async function inserted(
  { type, id, slug, parent }: Resource,
  spec: Fields,
  draft: Fields | null,
  { change }: OperationContext,
): Promise<Resource> {
  const made = await change.insert(kindOf(type), { id, slug, parent, spec }, false)
  return draft === null ? made : change.replace(made, { draft })
}

/** What was, without what would let somebody in again, or send a secret that is no longer meant for it. */
function unproved(
  was: Resource,
  to: Resource | null,
  spec: Fields,
): { readonly spec: Fields; readonly reasons: readonly string[] } {
  const next = { ...spec }
  const reasons: string[] = []
  if (to !== null && 'auth' in spec && canonicalJson(spec['auth']) !== canonicalJson(to.spec['auth'])) {
    next['auth'] = to.spec['auth']
    reasons.push('auth keeps its current value')
  }
  const callsAgain = was.type === 'clients' || was.type === 'profiles'
  if (callsAgain && spec['active'] === true && to?.spec['active'] !== true) {
    next['active'] = false
    reasons.push(to === null ? 'was deleted and is inactive now; its tokens were deleted' : 'stays inactive')
  }
  return { spec: next, reasons }
}

/**
 * Credentials that were deleted with their secrets cannot come back: one of the same slug stands for them. Refuses
 * with configuration_invalid where there is none.
 */
async function standInsFor(
  moved: readonly Moved[],
  context: OperationContext,
): Promise<ReadonlyMap<string, string>> {
  const standIns = new Map<string, string>()
  for (const { id, from, to } of moved) {
    if (from?.type !== 'credentials' || to !== null) continue
    const auth = from.spec['auth'] as Fields
    const secrets = kindOf('credentials').secrets!(from.spec)
    if (secrets.every((field) => isReference(auth[field]))) continue
    const [other] = await context.whole.bySlug('credentials', from.slug)
    if (other === undefined)
      throw refuse('configuration_invalid', {
        detail: `The credential "${from.slug}" was deleted, and its secret cannot be restored. Create a credential with this slug, then roll back.`,
        errors: [{ pointer: '/id', reason: `the secret of credentials/${from.slug} was deleted` }],
      })
    standIns.set(id, other.id)
  }
  return standIns
}

/** What was made since may be held by what says who may administer, to which nothing goes back. */
async function refuseHeld(gone: readonly Moved[], context: OperationContext): Promise<void> {
  for (const { id, to } of gone) {
    const users = to === null ? [] : await context.whole.usersOf(id)
    const holder = users.find(({ type }) => !RESOURCE_TYPES.some((served) => served === type))
    if (to !== null && holder !== undefined)
      throw refuse('in_use', {
        detail: `"${to.slug}" was created since then, and ${holder.type}/${holder.slug} refers to it. First change ${holder.type}/${holder.slug}.`,
      })
  }
}
