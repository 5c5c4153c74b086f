import { z } from 'zod'
import { ASKING, Credential, type NodeType } from '../node-type.ts'

export const redisNode: NodeType = {
  name: 'redis_node',
  phase: 'store',
  summary: 'One command to Redis or Valkey',
  config: z.strictObject({
    credential: Credential,
    command: z.enum([
      'get',
      'set',
      'del',
      'incr',
      'expire',
      'hget',
      'hset',
      'hgetall',
      'lpush',
      'lrange',
      'sadd',
      'smembers',
    ]),
  }),
  inputs: { arguments: 'list' },
  outputs: { value: 'any' },
  handles: ASKING,
}
