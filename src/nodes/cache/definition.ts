import { z } from 'zod'
import { Duration } from '../../model/time.ts'
import { type NodeType, ONWARD } from '../node-type.ts'

export const cacheNode: NodeType = {
  name: 'cache_node',
  phase: 'data',
  summary: 'Stores a value between runs',
  config: z.strictObject({
    op: z.enum(['get', 'set', 'delete']),
    ttl: Duration.default('1m'),
    allow_stale: z.boolean().default(false),
  }),
  inputs: { key: 'string', 'value?': 'any' },
  outputs: { value: 'any' },
  handles: ['hit', 'miss', 'stale', 'default'],
  handlesBy: ({ op, allow_stale }) => {
    if (op !== 'get') return ONWARD
    return allow_stale === true ? ['hit', 'miss', 'stale'] : ['hit', 'miss']
  },
}
