import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { Ref } from '../../model/members.ts'
import { about, define } from '../engine/define.ts'
import { probedKeyOf } from './attempt.ts'
import { keepFound } from './found.ts'
import { keepAttempt } from './keep.ts'
import { originKind } from './kind.ts'
import { probed } from './probe.ts'
import { ProbeView, probeShown, probeView } from './test-origin.ts'

export const refreshCatalog = define({
  resource: 'origins',
  action: 'refresh_catalog',
  effect: 'act',
  without: ['dry_run'],
  tool: 'refresh_origin_catalog',
  group: originKind.group,
  summary: 'Read the catalogue of an origin again; when that fails, the last catalogue stays',
  input: z.strictObject({ id: Ref }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    changed: z.boolean().describe('The catalogue differs from the last one'),
    ...ProbeView,
  }),
  permission: 'origins:update',
  refuses: ['not_found', 'configuration_invalid', 'revision_conflict', 'idempotency_conflict', 'not_ready'],
  idempotent: true,
  ...probeShown,
  fails: ({ ok }) => !ok,
  ...about(originKind),
  prepare: async (input, context) => {
    const { id, slug, spec } = await context.find('origins', input.id)
    return { id, of: probedKeyOf(spec), came: await probed({ id, slug, spec }, context) }
  },
  handle: async ({ id, of, came }, context) => {
    const { change } = context
    const origin = await change.act('origins', id)
    if (probedKeyOf(origin.spec) !== of)
      throw refuse('revision_conflict', {
        detail: `The origin "${origin.slug}" was changed while it was asked. Try again.`,
        members: { revision: origin.revision },
      })
    const view = probeView(came, origin.spec)
    change.finding = came.found === null ? view.summary : await keepFound(origin, came.found, context)
    await keepAttempt(origin, came, context)
    const changed = change.revisions.before !== change.revisions.after
    return { id: origin.id, slug: origin.slug, changed, ...view }
  },
})
