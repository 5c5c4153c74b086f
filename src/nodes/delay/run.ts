import { toMs } from '../../base/clock.ts'
import type { NodeRun } from '../run.ts'

export const delayRun: NodeRun = {
  name: 'delay_node',
  inTrial: 'runs',
  link({ duration }) {
    const ms = toMs(String(duration))
    return async (_inputs, { pause }) => {
      await pause(ms)
      return { handle: 'default', outputs: {} }
    }
  },
}
