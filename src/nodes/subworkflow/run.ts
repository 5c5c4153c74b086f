import type { NodeRun } from '../run.ts'

export const subworkflowRun: NodeRun = {
  name: 'subworkflow_node',
  inTrial: 'runs',
  link({ workflow }) {
    const id = String(workflow)
    return async ({ input = null }, { runWorkflow }) => ({
      handle: 'success',
      outputs: await runWorkflow(id, input),
    })
  },
}
