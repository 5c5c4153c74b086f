/**
 * Configuration as code compares three states in one form, with addresses in place of ids: the documents, the stored
 * configuration (read at one moment), and the documents that were applied last. Read in this order: `take`,
 * `read-documents`, `state`, `steps`, `order`; the operations are below.
 *
 * 1. A plan is kept as its steps and the revisions that they start from. `apply` computes the steps again inside its
 *    one transaction, and refuses when they differ from the plan that is named.
 * 2. Each step goes the way of a single write, permissions and rules included, over a writer that has the
 *    configuration in memory (`engine/config-in-memory`). Fragments are compiled once at the end. Long work yields the
 *    event loop (`base/threads/time-slices`).
 * 3. Resources that one set of documents owns are taken over by another set only when that set says so.
 * 4. An OpenAPI description among the documents is imported to documents before the comparison. Configurations of
 *    other programs (`kong`, `mcp-servers`) are converted to documents and applied like any others.
 */
import { z } from 'zod'
import { newId } from '../../base/ids.ts'
import { canonicalJson, packJson } from '../../base/json/canonical.ts'
import { Refusal, refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import type { StoredPlan } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import type { Kind } from '../engine/kind.ts'
import { idsOf, parentFields, parentRef, seeking } from '../engine/refs.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { createResource, parseSpec, replaceResource } from '../engine/write-resource.ts'
import { ALL_KINDS, kindOf } from '../kinds.ts'
import { addressOf, mapEndpoints } from './address.ts'
import { needsOf, type Step } from './order.ts'
import { counts, Documents, manner, PlanItem, Shown, warnings } from './schemas.ts'
import type { Desired } from './state.ts'
import { countsOf, keptSteps, type Manner, refuseMoved, type Steps, shown, toSteps } from './steps.ts'
import { compareDocuments, take } from './take.ts'

/** Removals that need no word for it: so many, and at most that share of what the set owns. */
const REMOVALS_FREE = 10
const REMOVALS_SHARE = 0.2

export const applyConfig = define({
  resource: 'config',
  action: 'apply',
  effect: 'act',
  tool: 'apply_config',
  group: 'manage_config',
  summary: 'Apply documents to the configuration, completely or not at all',
  input: z.strictObject({
    documents: Documents,
    ...manner,
    plan_id: z.string().max(64).optional().describe('Apply only if the result is exactly this plan'),
    allow_deletes: z
      .int()
      .min(0)
      .optional()
      .describe(
        `Expected number of removals; required for more than ${REMOVALS_FREE}, or more than a fifth of the set`,
      ),
  }),
  output: z.object({
    plan_id: z.string().describe('Id shared by the audit entries of this change'),
    managed_by: z.string(),
    config_revision: z.int(),
    ...counts,
    items: z.array(PlanItem.pick({ action: true, item: true })).describe('In the order of execution'),
    warnings,
  }),
  permission: 'config:update',
  refuses: [
    'document_invalid',
    'managed_elsewhere',
    'not_found',
    'already_exists',
    'in_use',
    'revision_conflict',
    'configuration_invalid',
    'deletions_unconfirmed',
    'idempotency_conflict',
  ],
  idempotent: true,
  destroys: ({ prune }) => prune === true,
  itemwise: true,
  large: true,
  inMemory: true,
  columns: ['action', 'item'],
  subject: ({ managed_by }) => ({ type: 'config', id: null, slug: managed_by ?? null }),
  prepare: async (input, context) => ({ ...(await take(input, context)), input }),
  handle: async ({ desired, manner, fingerprint, warnings, input }, context) => {
    const { change, clock } = context
    await refuseOptions(context)
    const plan = input.plan_id === undefined ? undefined : await planOf(input.plan_id, fingerprint, context)
    const steps = await toSteps(desired, manner, context)
    if (plan !== undefined) await refuseMoved(plan.steps, steps.steps)
    refuseManyRemovals(steps.steps, manner, steps.state.byId.values(), input.allow_deletes)
    change.planId = plan?.id ?? newId('pln', clock)
    await carryOut(steps, manner.owner, context)
    const done = { ...countsOf(steps.steps), unchanged: steps.unchanged }
    change.finding = `Created ${done.create}, updated ${done.update}, adopted ${done.adopt}, removed ${done.remove}, left ${done.unchanged}.`
    return {
      plan_id: change.planId,
      managed_by: manner.owner,
      config_revision: (await context.whole.revision()) + (steps.steps.length > 0 ? 1 : 0),
      ...done,
      items: steps.steps.map(({ action, item }) => ({ action, item })),
      warnings: [...warnings],
    }
  },
})

/** The revision that is expected is that of the configuration; a set of documents has no drafts. */
async function refuseOptions({ options, whole }: OperationContext): Promise<void> {
  if (options.mode === 'draft')
    throw refuse('input_invalid', {
      detail: 'Documents always describe the live configuration: leave out mode.',
      errors: [{ pointer: '/mode', reason: 'documents have no drafts' }],
    })
  const revision = await whole.revision()
  if (options.expectedRevision !== undefined && options.expectedRevision !== revision)
    throw refuse('revision_conflict', {
      detail: `The configuration is at revision ${revision}, not ${options.expectedRevision}.`,
      members: { revision },
    })
}

async function planOf(id: string, fingerprint: string, { change }: OperationContext): Promise<StoredPlan> {
  const plan = await change.writer.plan(id)
  if (plan === undefined)
    throw refuse('not_found', { detail: `There is no plan "${id.slice(0, 64)}". Plan again.` })
  if (plan.documents !== fingerprint)
    throw refuse('revision_conflict', {
      detail:
        'The documents, variables or settings differ from those of the plan. Plan again, or send those of the plan.',
      members: { moved: ['documents'] },
    })
  return plan
}

function refuseManyRemovals(
  steps: readonly Step[],
  { owner }: Manner,
  resources: Iterable<{ readonly managed_by: string | null }>,
  allowed: number | undefined,
): void {
  const removals = steps.filter(({ action }) => action === 'remove').length
  if (removals === 0) return
  let owned = 0
  for (const { managed_by } of resources) if (managed_by === owner) owned++
  if (removals <= (allowed ?? Math.min(REMOVALS_FREE, Math.ceil(owned * REMOVALS_SHARE)))) return
  throw refuse('deletions_unconfirmed', {
    detail: `This would remove ${removals} of the ${owned} resources that "${owner}" owns. To remove them, send allow_deletes: ${removals}.`,
    errors: [{ pointer: '/allow_deletes', reason: `must be at least ${removals}` }],
  })
}

/** Does the steps inside of the transaction, each as if it were written singly, and remembers what was applied. */
async function carryOut(
  { steps, words, applied, state }: Steps,
  owner: string,
  context: OperationContext,
): Promise<void> {
  context.change.owner = owner
  const made = new Map<string, Resource>()
  const idOf = (address: string): string => (made.get(address) ?? state.byAddress.get(address))?.id ?? address
  const byId = new Map<string, Step>()
  for (const step of steps) if (step.before !== null) byId.set(step.before.id, step)
  const isThere = (address: string): boolean => made.has(address) || state.byAddress.has(address)
  const later: Step[] = []
  let done = 0
  for (const step of steps) {
    try {
      const first = withoutLate(step, isThere)
      if (first !== step) later.push(step)
      const resource =
        step.desired === null
          ? await remove(step, byId, context)
          : await write(first, step.desired, idOf, context)
      if (resource !== null) made.set(step.item, resource)
    } catch (error) {
      throw atPlace(error, step)
    }
    await yieldThread(++done)
  }
  for (const step of later) {
    const before = await context.whole.byId(step.desired!.kind.type, idOf(step.item))
    await write({ ...step, action: 'update', before: before! }, step.desired!, idOf, context)
    await yieldThread(++done)
  }
  const { writer } = context.change
  for (const { item, action } of steps) {
    if (action === 'remove') await writer.removeApplied(owner, item)
    await yieldThread(++done)
  }
  for (const [address, spec] of words) {
    const last = applied.get(address)
    const resource = idOf(address)
    await yieldThread(++done)
    if (last?.resource === resource && canonicalJson(last.spec) === canonicalJson(spec)) continue
    await writer.putApplied({ owner, address, resource, spec })
  }
}

/** The step without the late references to what is not there yet; the step itself where there are none. */
function withoutLate(step: Step, isThere: (address: string) => boolean): Step {
  if (step.desired === null) return step
  const left: Record<string, unknown> = {}
  for (const { field, type, isLate } of step.desired.kind.refs) {
    const refs = step.spec[field]
    if (isLate !== true || !Array.isArray(refs)) continue
    const there = refs.filter((ref) => isThere(addressOf(type, String(ref))))
    if (there.length < refs.length) left[field] = there
  }
  return Object.keys(left).length === 0 ? step : { ...step, spec: { ...step.spec, ...left } }
}

/** Removes what nothing will refer to when all steps are done. */
async function remove(
  { before, item }: Step,
  byId: ReadonlyMap<string, Step>,
  context: OperationContext,
): Promise<null> {
  const { change, whole } = context
  const resource = before!
  await refuseOccupied(resource, context)
  const isGone = (id: string): boolean => byId.get(id)?.action === 'remove'
  for (const user of await whole.usersOf(resource.id)) {
    const step = byId.get(user.id)
    const isKept = user.draft !== null && idsOf(kindOf(user.type), user.draft).includes(resource.id)
    const letsGo = isGone(user.id) || (step !== undefined && !isKept && !needsOf(step).includes(item))
    if (!letsGo) await refuseUsed(resource, context)
    const to = [user.spec, user.draft ?? user.spec].flatMap((spec) => idsOf(kindOf(user.type), spec))
    await change.writer.link(
      user.id,
      to.filter((id) => !isGone(id)),
    )
  }
  await change.remove(resource)
  return null
}

async function write(
  { action, before, spec }: Step,
  desired: Desired,
  idOf: (address: string) => string,
  context: OperationContext,
): Promise<Resource> {
  const { kind, slug, schemas } = desired
  if (schemas !== null)
    await context.change.writer.putSchema(String(spec['schemas']), packJson(canonicalJson(schemas)))
  const input: Fields = mapEndpoints(kind, spec, (entry) =>
    entry.startsWith('proxy/') ? idOf(entry) : entry,
  )
  if (action === 'create') {
    const parent = parentRef(kind, input)
    return seeking({ type: kind.type, ref: parent === null ? slug : `${parent}:${slug}` }, () =>
      createResource(context, kind, { ...withFixed(kind, input, {}), slug }, false),
    )
  }
  return replaceResource(context, kind, before!, withFixed(kind, input, before!.spec))
}

/** With the members that no writer sets, as they are stored or by default. */
function withFixed(kind: Kind, input: Fields, stored: Fields): Fields {
  const { fixed } = kind
  if (fixed === undefined) return input
  const known = fixed.flatMap((name) => (name in stored ? [[name, stored[name]] as const] : []))
  return parseSpec(kind.spec, { ...input, ...Object.fromEntries(known) })
}

/** What lies below it goes only where the documents' set owns that, too. */
async function refuseOccupied(resource: Resource, context: OperationContext): Promise<void> {
  for (const kind of ALL_KINDS) {
    if (!parentFields(kind).some(({ type }) => type === resource.type)) continue
    const { type } = kind
    const below = await context.whole.all(type, resource.id)
    if (below.length === 0) continue
    const seen = (await context.reader.all(type, resource.id)).slice(0, 20)
    const names = seen.map((one) => `${type}/${one.slug}`)
    throw refuse('in_use', {
      detail: `"${resource.slug}" contains ${[...names, ...(below.length > seen.length ? ['others'] : [])].join(', ')}, which the set does not own. Add them to the set, or delete them first.`,
      members: { used_by: names },
    })
  }
}

/** The same refusal, with the resource that it is about. */
function atPlace(error: unknown, { item, desired }: Step): unknown {
  if (!(error instanceof Refusal)) return error
  const { errors, ...facts } = error.facts
  return refuse(error.code, {
    ...facts,
    detail: `${item}: ${error.message}`,
    ...(errors === undefined || desired === null
      ? {}
      : {
          errors: errors.map(({ pointer, reason }) => ({
            pointer: desired.specPlace + pointer,
            reason,
          })),
        }),
  })
}

export const diffConfig = define({
  resource: 'config',
  action: 'diff',
  effect: 'read',
  tool: 'diff_config',
  group: 'manage_config',
  summary: 'Compare documents with the configuration or with other documents; stores no plan',
  input: z.strictObject({
    documents: Documents,
    against: Documents.optional().describe('Other documents to compare with, instead of the configuration'),
    ...manner,
  }),
  output: Shown,
  permission: 'config:read',
  refuses: ['document_invalid', 'managed_elsewhere'],
  itemwise: true,
  large: true,
  posted: true,
  columns: ['action', 'item', 'side'],
  subject: ({ managed_by }) => ({ type: 'config', id: null, slug: managed_by ?? null }),
  handle: async ({ against, ...input }, context) => {
    if (against !== undefined)
      return context.apart(compareDocuments, {
        documents: input.documents,
        against,
        variables: input.variables,
      })
    const { desired, manner, warnings } = await take(input, context)
    return shown({ ...(await toSteps(desired, manner, context)), warnings })
  },
})

/** How long a plan may be applied. */
const PLAN_MS = 7 * 24 * 3_600_000
/** Plans that are kept of one principal; then the oldest goes. One of thousands of steps takes half a megabyte. */
export const PLANS_EACH_MAX = 50
/** Times that it is made anew because something changed meanwhile. */
const ATTEMPTS = 3

export const planConfig = define({
  resource: 'config',
  action: 'plan',
  effect: 'act',
  tool: 'plan_config',
  group: 'manage_config',
  summary: 'Show the changes that applying documents would make, and store them as a plan; changes nothing',
  input: z.strictObject({ documents: Documents, ...manner }),
  output: z.object({
    plan_id: z
      .string()
      .describe(
        'Id of the plan, valid for seven days or until the same principal has stored fifty newer plans',
      ),
    managed_by: z.string(),
    config_revision: z.int().describe('Revision of the compared configuration'),
    ...Shown.shape,
  }),
  permission: 'config:read',
  refuses: ['document_invalid', 'managed_elsewhere', 'idempotency_conflict'],
  idempotent: true,
  itemwise: true,
  large: true,
  columns: ['action', 'item', 'side'],
  subject: ({ managed_by }) => ({ type: 'config', id: null, slug: managed_by ?? null }),
  prepare: async (input, context) => {
    const { desired, fingerprint, manner, warnings } = await take(input, context)
    for (let attempt = 1; ; attempt++) {
      const revision = await context.whole.revision()
      const steps = await toSteps(desired, manner, context)
      if (attempt === ATTEMPTS || revision === (await context.whole.revision()))
        return { steps, revision, fingerprint, warnings, owner: manner.owner }
    }
  },
  handle: async ({ steps, revision, fingerprint, warnings, owner }, { change, clock, principal }) => {
    const now = clock.now()
    const id = newId('pln', clock)
    const kept = {
      id,
      owner,
      made_by: principal.id,
      documents: fingerprint,
      steps: keptSteps(steps.steps),
      revision,
      created_at: now,
    }
    await change.writer.putPlan(kept, now - PLAN_MS, PLANS_EACH_MAX)
    return {
      plan_id: id,
      managed_by: owner,
      config_revision: revision,
      ...(await shown({ ...steps, warnings })),
    }
  },
})
