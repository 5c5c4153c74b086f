import type { z } from 'zod'
import { type FieldError, refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import type { StoredPlan } from '../../store/ports/config.ts'
import type { Fields } from '../../store/ports/resource.ts'
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
  return {
    ...countsOf(steps),
    unchanged,
    items,
    drift: drift.map(({ item, side, diff }) => ({ item, side, diff: bound(diff) })),
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
export function refuseMoved(planned: StoredPlan['steps'], steps: readonly Step[]): void {
  const textOf = (step: Fields | StoredPlan['steps'][number]): string => JSON.stringify(step)
  const now = new Map(keptSteps(steps).map((step) => [step.item, textOf(step)]))
  const then = new Map(planned.map((step) => [step.item, textOf(step)]))
  const moved = [...new Set([...now.keys(), ...then.keys()])].filter(
    (item) => now.get(item) !== then.get(item),
  )
  if (moved.length === 0) return
  const named = moved.slice(0, 20)
  throw refuse('revision_conflict', {
    detail: `Since it was planned these have changed: ${named.join(', ')}${moved.length > named.length ? ` and ${moved.length - named.length} more` : ''}. Plan again.`,
    members: { moved: named },
  })
}
