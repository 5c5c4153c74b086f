import { z } from 'zod'
import { Ref } from '../../model/members.ts'
import { ANSWER, ASKING, type NodeType } from '../node-type.ts'

export const subworkflowNode: NodeType = {
  name: 'subworkflow_node',
  phase: 'call',
  summary: 'Runs a shared workflow and continues with its response',
  config: z.strictObject({ workflow: Ref.describe('Shared workflow, by id or slug') }),
  inputs: { 'input?': 'any: body of the request that the workflow sees; null when absent' },
  outputs: ANSWER,
  handles: ASKING,
}
