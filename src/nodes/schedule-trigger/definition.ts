import { z } from 'zod'
import { type NodeType, ONWARD, Text } from '../node-type.ts'

const CRON_FIELD = String.raw`(?:\*|[0-9]+(?:-[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*)(?:/[0-9]+)?`

export const scheduleTrigger: NodeType = {
  name: 'schedule_trigger',
  phase: 'trigger',
  summary: 'Starts on a cron schedule',
  config: z.strictObject({
    cron: z
      .string()
      .regex(new RegExp(`^${CRON_FIELD}(?: ${CRON_FIELD}){4}$`), 'five fields: minute hour day month weekday')
      .describe('Such as 0 6 * * 1-5'),
    timezone: Text.default('UTC'),
  }),
  inputs: {},
  outputs: { fired_at: 'time' },
  handles: ONWARD,
}
