import { z } from 'zod'
import { permits } from '../../access/roles.ts'
import { refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import { define } from '../engine/define.ts'
import { boundedDiff, diffOf } from '../engine/diff.ts'
import { kindOf } from '../kinds.ts'
import { about, RevisionId, subjectOf } from './list.ts'
import { movedBetween, nameOf, plainOf, revisionOf, slugsOfMoved } from './state.ts'

const ITEMS_MAX = 1000

export const diffRevisions = define({
  ...about,
  action: 'diff',
  effect: 'read',
  tool: 'diff_revisions',
  summary:
    'Show the difference between two revisions of the configuration, or between one and the current one',
  input: z.strictObject({
    from: RevisionId,
    to: RevisionId.optional().describe('Later revision. Default: the current one'),
  }),
  output: z.object({
    from: z.int(),
    to: z.int(),
    items: z.array(
      z.object({
        item: z.string().describe('Such as proxies/orders:get-order'),
        action: z.enum(['created', 'changed', 'removed']),
        diff: z
          .array(
            z.object({
              op: z.enum(['add', 'remove', 'replace']),
              path: z.string(),
              from: z.unknown().optional(),
              value: z.unknown().optional(),
            }),
          )
          .describe('JSON patch with the old values; no secrets'),
      }),
    ),
    more: z.int().describe('Number of further resources that differ'),
  }),
  permission: 'config:read',
  refuses: ['not_found'],
  columns: ['item', 'action', 'diff'],
  subject: ({ from }) => subjectOf(from),
  handle: async (input, { reader, principal }) => {
    const from = await revisionOf(reader, input.from)
    const to = input.to === undefined ? await reader.revision() : await revisionOf(reader, input.to)
    if (to < from)
      throw refuse('input_invalid', {
        detail: 'The second revision is the later one.',
        errors: [{ pointer: '/to', reason: 'must not be before from' }],
      })
    const moved = await movedBetween(reader, from, to)
    const slugs = await slugsOfMoved(reader, moved)
    const items = []
    let done = 0
    for (const { from: was, to: is } of moved) {
      const one = (is ?? was)!
      await yieldThread(++done)
      if (!permits(principal, `${one.type}:read`)) continue
      const kind = kindOf(one.type)
      const diff = diffOf(await plainOf(kind, was, slugs), await plainOf(kind, is, slugs))
      if (diff.length === 0) continue
      const action = was === null ? 'created' : is === null ? 'removed' : 'changed'
      items.push({ item: nameOf(one, slugs), action: action as 'created' | 'changed' | 'removed', diff })
    }
    const shown = items.slice(0, ITEMS_MAX)
    return {
      from,
      to,
      items: shown.map((item) => ({ ...item, diff: [...boundedDiff(item.diff)] })),
      more: items.length - shown.length,
    }
  },
})
