/**
 * Configuration as code compares three states in one form, with addresses in place of ids: the documents, the stored
 * configuration (read at one moment), and the documents that were applied last. Read in this order: `take`,
 * `read-documents`, `desired`, `state`, `steps`, `order`, `carry-out`.
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
import { refuse } from '../../base/refusal.ts'
import type { StoredPlan } from '../../store/ports/config.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { carryOut } from './carry-out.ts'
import type { Step } from './order.ts'
import { countsOf, refuseMoved } from './planned.ts'
import { counts, Documents, manner, PlanItem, warnings } from './schemas.ts'
import { type Manner, toSteps } from './steps.ts'
import { take } from './take.ts'

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
        `Removals that are meant; needed for more than ${REMOVALS_FREE}, or more than a fifth of what the set owns`,
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
      detail: 'Documents say what is live; leave mode out.',
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
        'These are not the documents, variables and settings that were planned. Plan again, or send those.',
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
    detail: `This would remove ${removals} of the ${owned} resources that "${owner}" owns. If that is meant, send allow_deletes: ${removals}.`,
    errors: [{ pointer: '/allow_deletes', reason: `must be at least ${removals}` }],
  })
}
