import { z } from 'zod'
import { Duration } from '../../model/members.ts'
import { type NodeType, ONWARD } from '../node-type.ts'

export const joinNode: NodeType = {
  name: 'join_node',
  phase: 'flow',
  summary: 'Joins parallel branches',
  config: z.strictObject({
    wait: z.union([z.enum(['all', 'any']), z.int().min(1).max(200)]).default('all'),
    timeout: Duration.default('30s'),
  }),
  inputs: {},
  outputs: { '*': 'outputs of the nodes before, by their ids' },
  handles: ONWARD,
}
