import { EITHER, NONE, type NodeType } from '../node-type.ts'

export const conditionNode: NodeType = {
  name: 'condition_node',
  phase: 'decide',
  summary: 'Continues at one of two handles',
  config: NONE,
  inputs: { expression: 'boolean' },
  outputs: { result: 'boolean' },
  handles: EITHER,
}
