import { toTime } from '../../base/clock.ts'
import type { NodeRun } from '../run.ts'

export const manualTriggerRun: NodeRun = {
  name: 'manual_trigger',
  inTrial: 'runs',
  link:
    ({ sample }) =>
    (_inputs, { request, ambient }) => ({
      handle: 'default',
      outputs: { triggered_at: toTime(ambient.now()), trigger: request['body'] ?? sample },
    }),
}
