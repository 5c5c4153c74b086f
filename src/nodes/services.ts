import { z } from 'zod'
import { ASKING, Credential, type NodeType, Text } from './define.ts'

const sql = (name: string, product: string): NodeType => ({
  name,
  phase: 'store',
  summary: `A statement to ${product}`,
  config: z.strictObject({
    credential: Credential,
    statement: z.string().min(1).max(65_536).describe('Values stand for themselves as parameters'),
    row_limit: z.int().min(1).max(10_000).default(1000),
    read_only: z.boolean().default(true),
  }),
  inputs: { 'parameters?': 'list or object' },
  outputs: { rows: 'list', count: 'number' },
  handles: ASKING,
})

export const SERVICES: readonly NodeType[] = [
  sql('postgres_node', 'PostgreSQL'),
  sql('mysql_node', 'MySQL'),
  sql('sqlserver_node', 'SQL Server'),
  sql('oracle_node', 'Oracle'),
  {
    name: 'mongodb_node',
    phase: 'store',
    summary: 'Documents of MongoDB',
    config: z.strictObject({
      credential: Credential,
      collection: Text,
      op: z.enum(['find', 'insert', 'update', 'aggregate']).default('find'),
      limit: z.int().min(1).max(10_000).default(1000),
    }),
    inputs: { 'query?': 'object', 'documents?': 'list', 'pipeline?': 'list' },
    outputs: { documents: 'list', count: 'number' },
    handles: ASKING,
  },
  {
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
  },
  {
    name: 'kafka_node',
    phase: 'send',
    summary: 'A message to a topic',
    config: z.strictObject({ credential: Credential, topic: Text }),
    inputs: { 'key?': 'string', value: 'any', 'headers?': 'object' },
    outputs: { id: 'string' },
    handles: ASKING,
  },
  ...(['smtp_node', 'sendgrid_node'] as const).map(
    (name): NodeType => ({
      name,
      phase: 'send',
      summary: name === 'smtp_node' ? 'Mail by SMTP' : 'Mail by SendGrid',
      config: z.strictObject({ credential: Credential, from: Text }),
      inputs: { to: 'string or list', subject: 'string', body: 'string' },
      outputs: { id: 'string' },
      handles: ASKING,
    }),
  ),
]
