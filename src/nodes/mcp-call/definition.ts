import { z } from 'zod'
import { Ref } from '../../model/slug.ts'
import { ASKING, type NodeType, Text } from '../node-type.ts'

export const mcpCallNode: NodeType = {
  name: 'mcp_call_node',
  phase: 'call',
  summary: 'Call of a tool of an MCP server',
  config: z.strictObject({
    origin: Ref.describe('MCP server'),
    tool: Text,
    as: z.enum(['shared', 'user']).default('shared'),
  }),
  inputs: { 'arguments?': 'object' },
  outputs: { content: 'list', structured: 'object', is_error: 'boolean' },
  handles: ASKING,
}
