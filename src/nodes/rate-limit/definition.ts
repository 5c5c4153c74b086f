import { z } from 'zod'
import { Duration } from '../../model/time.ts'
import { EITHER, type NodeType } from '../node-type.ts'

export const rateLimitNode: NodeType = {
  name: 'rate_limit_node',
  phase: 'decide',
  summary: 'A limit by a key of your choice',
  config: z.strictObject({
    max: z.int().min(1).max(1_000_000_000),
    window: Duration,
    cost: z.int().min(1).max(1_000_000).default(1),
  }),
  inputs: { key: 'string' },
  outputs: { remaining: 'number', reset_ms: 'number' },
  handles: EITHER,
}
