import { z } from 'zod'
import { Ref } from '../../model/members.ts'
import { ASKING, type NodeType } from '../node-type.ts'

export const foreachNode: NodeType = {
  name: 'foreach_node',
  phase: 'flow',
  summary: 'Runs a shared workflow for each item of a list',
  config: z.strictObject({
    workflow: Ref.describe('Shared workflow, by id or slug'),
    concurrency: z.int().min(1).max(10).default(1).describe('Number of items that run at the same time'),
    max_items: z
      .int()
      .min(1)
      .max(1000)
      .default(100)
      .describe('Maximum number of items; a longer list is a failure'),
  }),
  inputs: { items: 'list: each item is the body of the request that the workflow sees' },
  outputs: { items: 'list of status, headers and body, in the order of the items' },
  handles: ASKING,
}
