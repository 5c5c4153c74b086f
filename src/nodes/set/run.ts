import type { NodeRun } from '../run.ts'

export const setRun: NodeRun = {
  name: 'set_node',
  inTrial: 'runs',
  link: () => (inputs) => ({ handle: 'default', outputs: { ...inputs } }),
}
