import { NONE, type NodeType, ONWARD } from '../node-type.ts'

export const setNode: NodeType = {
  name: 'set_node',
  phase: 'data',
  summary: 'Values under names of your choice',
  config: NONE,
  inputs: { '*': 'any' },
  outputs: { '*': 'as its inputs' },
  handles: ONWARD,
}
