import { z } from 'zod'
import { type NodeType, ONWARD } from '../node-type.ts'

export const logNode: NodeType = {
  name: 'log_node',
  phase: 'flow',
  summary: 'A line in the trace of the run',
  config: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }),
  inputs: { message: 'string', 'fields?': 'object' },
  outputs: {},
  handles: ONWARD,
}
