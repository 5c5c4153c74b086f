import { z } from 'zod'
import { Duration } from '../../model/members.ts'
import { type NodeType, ONWARD } from '../node-type.ts'

export const cacheNode: NodeType = {
  name: 'cache_node',
  phase: 'store',
  summary: 'Stores JSON values for a limited time, for all gateway threads',
  config: z.discriminatedUnion('op', [
    z.strictObject({
      op: z.literal('get'),
      allow_stale: z
        .boolean()
        .default(false)
        .describe('Continue at stale with a value whose ttl has passed, if it is still kept'),
    }),
    z.strictObject({
      op: z.literal('set'),
      ttl: Duration.describe('How long the value is fresh'),
      keep_stale: Duration.optional().describe('How long it is kept after that, for get with allow_stale'),
    }),
    z.strictObject({ op: z.literal('delete') }),
  ]),
  inputs: {
    key: 'string or number, at most 1024 characters',
    'value?': 'any JSON of at most 256 KiB; required for set',
  },
  outputs: { value: 'any; null at miss', kept: 'boolean, of set' },
  handles: ['hit', 'miss', 'stale', 'default'],
  handlesBy: ({ op, allow_stale }) => {
    if (op !== 'get') return ONWARD
    return allow_stale === true ? ['hit', 'miss', 'stale'] : ['hit', 'miss']
  },
}
