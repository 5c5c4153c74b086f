import { z } from 'zod'
import { Ref } from '../../model/slug.ts'
import { type NodeType, ONWARD } from '../node-type.ts'

export const foreachNode: NodeType = {
  name: 'foreach_node',
  phase: 'flow',
  summary: 'A workflow for each item of a list',
  config: z.strictObject({
    workflow: Ref.describe('Workflow'),
    concurrency: z.int().min(1).max(10).default(1),
    max_items: z.int().min(1).max(1000).default(1000),
  }),
  inputs: { list: 'list' },
  outputs: { items: 'what each run answers' },
  handles: ONWARD,
}
