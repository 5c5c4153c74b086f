import { z } from 'zod'
import { type NodeType, ONWARD } from '../node-type.ts'
import { LOG_LEVELS } from '../run.ts'

export const logNode: NodeType = {
  name: 'log_node',
  phase: 'flow',
  summary: 'A message in the trace of the run, which the request record keeps; secrets are masked',
  config: z.strictObject({ level: z.enum(LOG_LEVELS).default('info') }),
  inputs: { message: 'string', 'fields?': 'object' },
  outputs: {},
  handles: ONWARD,
}
