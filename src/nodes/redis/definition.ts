import { z } from 'zod'
import { type NodeType, ONWARD } from '../node-type.ts'
import { addressMembers, destinationBy, LoginRef } from '../service-address.ts'
import { ONE_KEY, SEVERAL_KEYS } from './run.ts'

const Config = z.strictObject({
  ...addressMembers(6379),
  credential: LoginRef.nullable().default(null),
  database: z.int().min(0).max(65_535).default(0),
  command: z.enum([...ONE_KEY, ...SEVERAL_KEYS]),
  prefix: z
    .string()
    .max(256)
    .default('')
    .describe('Text before each key, so that a value of a caller reaches no other keys'),
  encoding: z
    .enum(['text', 'json', 'base64'])
    .default('text')
    .describe('How values of the reply are given: text (UTF-8), parsed JSON, or base64'),
})

export const redisNode: NodeType = {
  name: 'redis_node',
  phase: 'store',
  summary: 'Sends one command to Redis or Valkey',
  config: Config,
  inputs: {
    key: `string or number or list: a list for ${SEVERAL_KEYS.join(', ')}`,
    'args?': 'list: what follows the key, strings and numbers; objects and lists become JSON',
  },
  outputs: { value: 'any; null for a key that is not there' },
  handles: ONWARD,
  credentials: ['basic'],
  destination: destinationBy(Config),
}
