import { z } from 'zod'
import { ASKING, Credential, type NodeType } from './node-type.ts'

/** A node that sends statements to a database. */
export function sqlNode(name: string, product: string): NodeType {
  return {
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
  }
}
