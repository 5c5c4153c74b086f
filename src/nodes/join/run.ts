import { toMs } from '../../base/clock.ts'
import type { NodeRun } from '../run.ts'

export const joinRun: NodeRun = {
  name: 'join_node',
  inTrial: 'runs',
  joins({ wait, timeout }) {
    // The definition has parsed the settings
    const timeoutMs = toMs(String(timeout))
    return { wait: wait === 'all' ? 'all' : wait === 'any' ? 1 : Number(wait), timeoutMs }
  },
  link:
    () =>
    (_inputs, { before }) => ({ handle: 'default', outputs: before }),
}
