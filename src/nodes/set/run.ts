import type { NodeRun } from '../run.ts'

export const setRun: NodeRun = {
  name: 'set_node',
  link: () => (inputs) => ({ handle: 'default', outputs: { ...inputs } }),
}
