import type { z } from 'zod'
import { type FieldError, refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import type { StoredPlan } from '../../store/ports/config.ts'
import type { Step } from './order.ts'
import { createDiffBound, type DriftItem, type PlanItem } from './schemas.ts'
import type { Steps } from './steps.ts'

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
    detail: `Since it was planned these have changed: ${named.join(', ')}${moved.length > named.length ? ` and ${moved.length - named.length} more` : ''}. Plan again.`,
    members: { moved: named },
  })
}
