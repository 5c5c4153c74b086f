import type { NodeRun } from '../run.ts'

export const conditionRun: NodeRun = {
  name: 'condition_node',
  inTrial: 'runs',
  link: () => (inputs) => {
    // Any other value than true is false: a value that is not a boolean must open no way
    const result = inputs['expression'] === true
    return { handle: String(result), outputs: { result } }
  },
}
