import { z } from 'zod'
import { Ref } from '../../model/slug.ts'
import { type NodeType, ONWARD } from '../node-type.ts'

export const subworkflowNode: NodeType = {
  name: 'subworkflow_node',
  phase: 'call',
  summary: 'Run of another workflow',
  config: z.strictObject({ workflow: Ref.describe('Workflow') }),
  inputs: { 'input?': 'any' },
  outputs: { response: 'what it answers' },
  handles: ONWARD,
}
