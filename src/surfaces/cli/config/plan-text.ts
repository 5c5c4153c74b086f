import type { z } from 'zod'
import { printable } from '../../../base/text/visible.ts'
import type { DriftItem, PlanItem } from '../../../operations/config/schemas.ts'
import type { DiffEntry } from '../../../operations/engine/write-options.ts'
import { diffLines } from '../diff-lines.ts'

interface Plan {
  readonly create: number
  readonly update: number
  readonly adopt: number
  readonly remove: number
  readonly unchanged: number
  readonly items: readonly z.output<typeof PlanItem>[]
  readonly drift: readonly z.output<typeof DriftItem>[]
}

const MARKS = { create: '+', update: '~', adopt: '>', remove: '-' } as const
const SIDES = {
  documents: '',
  instance: '  (changed in the instance)',
  both: '  (changed in the documents and in the instance)',
} as const

/** A plan for people: a line for each resource, and for each member that changes. */
export function planText(plan: Plan): string {
  const lines = plan.items.flatMap(({ action, item, side, managed_by, diff }) => {
    const from = action === 'adopt' && managed_by !== null ? `  (from ${printable(managed_by)})` : ''
    const head = `${MARKS[action]} ${printable(item)}${side === null ? '' : SIDES[side]}${from}`
    // Of what is made or removed the name says enough
    return action === 'update' ? [head, ...indented(diff)] : [head]
  })
  if (plan.drift.length > 0) lines.push('', 'Changed in the instance since the documents were applied:')
  for (const { item, diff } of plan.drift) lines.push(`! ${printable(item)}`, ...indented(diff))
  if (lines.length > 0) lines.push('')
  return `${[...lines, summaryOf(plan)].join('\n')}\n`
}

function indented(diff: z.output<typeof PlanItem>['diff']): string[] {
  // What the server answers has the members of the entries that it is made of
  return diffLines(diff as readonly DiffEntry[]).map((line) => `    ${line}`)
}

function summaryOf({ create, update, adopt, remove, unchanged }: Plan): string {
  return `${create} to create, ${update} to update, ${adopt} to adopt, ${remove} to remove, ${unchanged} unchanged.`
}
