import { z } from 'zod'
import { ASKING, Credential, type NodeType, Text, WebUrl } from '../node-type.ts'

export const llmNode: NodeType = {
  name: 'llm_node',
  phase: 'call',
  summary: 'Prompt for a model with an OpenAI-compatible endpoint',
  config: z.strictObject({
    endpoint: WebUrl,
    model: Text,
    credential: Credential,
    schema: z.record(z.string(), z.json()).optional().describe('JSON Schema of the answer'),
    max_tokens: z.int().min(1).max(100_000).default(1024),
  }),
  inputs: { messages: 'list of role, content' },
  outputs: { text: 'string', json: 'any', usage: 'object' },
  handles: ASKING,
}
