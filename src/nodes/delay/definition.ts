import { z } from 'zod'
import { Duration } from '../../model/members.ts'
import { type NodeType, ONWARD } from '../node-type.ts'

export const delayNode: NodeType = {
  name: 'delay_node',
  phase: 'flow',
  summary: 'A pause of at most 10s',
  config: z.strictObject({
    duration: Duration.regex(/^(\d{1,4}ms|\d{1}s|10s)$/, 'at most 10s'),
  }),
  inputs: {},
  outputs: {},
  handles: ONWARD,
}
