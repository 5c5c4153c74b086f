/**
 * A rollback is a change like any other. Secrets stay as they are, and a rollback restores nothing that would admit a
 * caller again.
 */
import { z } from 'zod'
import { newId } from '../../base/ids.ts'
import { refuse } from '../../base/refusal.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { CHANGE_REFUSES, define } from '../engine/define.ts'
import { about, RevisionId, subjectOf } from './list.ts'
import { movedBetween, nameOf, revisionOf, slugsOfMoved } from './state.ts'
import { rollBack } from './steps.ts'

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
    restored: Items.describe('Deleted since, such as proxies/orders:get-order'),
    changed: Items,
    removed: Items.describe('Made since'),
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
