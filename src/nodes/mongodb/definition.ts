import { z } from 'zod'
import { ASKING, Credential, type NodeType, Text } from '../node-type.ts'

export const mongodbNode: NodeType = {
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
}
