import { z } from 'zod'
import { type NodeType, Text } from '../node-type.ts'

export const responseNode: NodeType = {
  name: 'response_node',
  phase: 'end',
  summary: 'Sends the response and ends the run',
  config: z.strictObject({
    status: z.int().min(200).max(599).default(200),
    content_type: Text.default('application/json'),
  }),
  inputs: { 'status?': 'integer', 'headers?': 'object', 'body?': 'any', 'problem?': 'object: code, detail' },
  outputs: {},
  handles: [],
}
