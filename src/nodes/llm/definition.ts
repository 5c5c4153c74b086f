import { z } from 'zod'
import { isPlain } from '../../base/json/storable.ts'
import { Ref } from '../../model/members.ts'
import type { WorkflowNode } from '../../model/workflow/workflow.ts'
import { exchangedCredential, fixedUrl, MaxBody, ServerTls } from '../http-server.ts'
import { ASKING, type NodeFault, NodeSchema, type NodeType } from '../node-type.ts'
import { isRole, MESSAGES_MAX, ROLES } from './run.ts'

/** Tokens that one answer may be asked to have. */
const TOKENS_MAX = 131_072

/** Fixed: a label of the metrics page, and the price of a run, are not for callers to choose. */
export const ModelName = z
  .string()
  .regex(/^[A-Za-z0-9@][A-Za-z0-9@._:/+~#=-]{0,127}$/, 'the name of a model, at most 128 characters')

export const MaxTokens = z.int().min(1).max(TOKENS_MAX).default(1024)

export const BaseUrl = fixedUrl('').describe(
  'Server, to whose path /chat/completions is added, such as https://api.openai.com/v1',
)

const Config = z
  .strictObject({
    base_url: BaseUrl,
    credential: Ref.nullable().default(null).describe('Sent to the server'),
    tls: ServerTls,
    model: ModelName,
    max_tokens: MaxTokens.describe('Longest answer in tokens'),
    max_tokens_name: z
      .enum(['max_tokens', 'max_completion_tokens'])
      .default('max_tokens')
      .describe('Member of the request for max_tokens. Reasoning models of OpenAI need the second'),
    temperature: z
      .number()
      .min(0)
      .max(2)
      .nullable()
      .default(null)
      .describe('null: the default of the server'),
    schema: NodeSchema.nullable()
      .default(null)
      .describe('JSON Schema of the answer; an answer that does not conform is a failure'),
    strict: z
      .boolean()
      .default(false)
      .describe('The server enforces schema; schema can then use only the keywords that the server supports'),
    max_body: MaxBody,
  })
  .refine(({ base_url, tls }) => tls === null || base_url.startsWith('https:'), {
    path: ['tls'],
    message: 'is for an https URL',
  })
  .refine(({ schema, strict }) => !strict || schema !== null, {
    path: ['strict'],
    message: 'is for a schema',
  })

export const llmNode: NodeType = {
  name: 'llm_node',
  phase: 'call',
  summary: 'Asks a language model at an OpenAI-compatible API',
  config: Config,
  inputs: { messages: 'list of role, content' },
  outputs: {
    text: 'string',
    json: 'any; null without a schema',
    errors: 'list of pointer, reason',
    usage: 'object',
    model: 'string',
    finish_reason: 'string',
  },
  members: {
    usage: {
      prompt_tokens: 'integer, or null',
      completion_tokens: 'integer, or null',
      total_tokens: 'integer, or null',
    },
  },
  handles: ASKING,
  faults: (node, known) => [...exchangedCredential(node, known), ...messageFaults(node)],
  destination(config) {
    const { success, data } = Config.safeParse(config)
    if (!success) return null
    return { member: 'base_url', url: data.base_url, credential: data.credential, tls: data.tls }
  },
}

/** Messages as far as they are the same in every run. */
function messageFaults({ inputs: { messages } }: WorkflowNode): readonly NodeFault[] {
  if (!Array.isArray(messages)) return []
  const fault = (path: readonly (string | number)[], message: string): NodeFault => ({
    code: 'bad_input',
    path: ['inputs', 'messages', ...path],
    message,
  })
  if (messages.length === 0 || messages.length > MESSAGES_MAX)
    return [fault([], `takes 1 to ${MESSAGES_MAX} messages`)]
  return messages.flatMap((message: unknown, index) => {
    if (typeof message === 'string' && message.includes('{{')) return []
    if (!isPlain(message)) return [fault([index], 'must be an object with role and content')]
    const { role, content } = message
    const isComputed = typeof role === 'string' && role.includes('{{')
    return [
      ...(isComputed || isRole(role) ? [] : [fault([index, 'role'], `must be one of ${ROLES.join(', ')}`)]),
      ...(content === undefined ? [fault([index, 'content'], 'is required')] : []),
      ...Object.keys(message)
        .filter((name) => name !== 'role' && name !== 'content')
        .map((name) => fault([index, name], 'no such member; there are: role, content')),
    ]
  })
}
