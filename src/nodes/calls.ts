import { z } from 'zod'
import { HttpMethod, Ref } from '../model/common.ts'
import { ASKING, Credential, HostName, type NodeType, ONWARD, Text, WebUrl } from './define.ts'

const ANSWER = { status: 'number', headers: 'object', body: 'any' }

export const CALLS: readonly NodeType[] = [
  {
    name: 'proxy_node',
    phase: 'call',
    summary: "Call of the collection's upstream",
    config: z.strictObject({ method: HttpMethod.optional().describe('As received when absent') }),
    inputs: {
      'path?': 'string',
      'query?': 'object',
      'headers?': 'object',
      'body?': 'any, as received when absent',
    },
    outputs: ANSWER,
    handles: ASKING,
  },
  {
    name: 'http_request_node',
    phase: 'call',
    summary: 'Call of another server',
    config: z.strictObject({
      method: HttpMethod.default('GET'),
      hosts: z.array(HostName).min(1).max(50).describe('Hosts that may be called, and no others'),
      credential: Credential.nullable().default(null),
      verify_tls: z.boolean().default(true),
      max_body: z
        .int()
        .min(0)
        .max(32 * 1024 ** 2)
        .default(1024 ** 2),
    }),
    inputs: { url: 'string', 'query?': 'object', 'headers?': 'object', 'body?': 'any' },
    outputs: ANSWER,
    handles: ASKING,
  },
  {
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
  },
  {
    name: 'llm_node',
    phase: 'call',
    summary: 'Question to a model with an OpenAI-compatible endpoint',
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
  },
  {
    name: 'subworkflow_node',
    phase: 'call',
    summary: 'Run of another workflow',
    config: z.strictObject({ workflow: Ref.describe('Workflow') }),
    inputs: { 'input?': 'any' },
    outputs: { response: 'what it answers' },
    handles: ONWARD,
  },
]
