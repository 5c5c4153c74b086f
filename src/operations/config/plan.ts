import { z } from 'zod'
import { newId } from '../../base/ids.ts'
import { define } from '../engine/define.ts'
import { keptSteps, shown } from './planned.ts'
import { Documents, manner, Shown } from './schemas.ts'
import { toSteps } from './steps.ts'
import { take } from './take.ts'

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
