/** The tools of the compact view: descriptions, schemas and the check of their arguments. */
import { pointerTo } from '../../base/json/storable.ts'
import type { FieldError } from '../../base/refusal.ts'
import { CALL_REASON_CHARS_MAX } from '../../record/fields.ts'
import type { Tool } from '../protocol/door.ts'
import { isMembers, type Members } from '../protocol/message.ts'

export const INSTRUCTIONS =
  'APIs behind this gateway that you may call. list_collections and list_endpoints list them; ' +
  'inspect_contract shows parameters, schemas, limits and a ready call_example; execute_call runs it. ' +
  'An endpoint is named by its id, by "METHOD /path" (a template or a concrete path), or by its name. ' +
  'Large answers are cut: narrow them with fields or the paging parameters of the endpoint.'

export const EXPANDED_INSTRUCTIONS =
  'APIs behind this gateway that you may call. Each tool calls one endpoint with one method; its name begins with the ' +
  'collection that the endpoint belongs to. Arguments are the parameters of the endpoint, and body is the request body. ' +
  'A result has the HTTP status and the body of the answer; large bodies are cut.'

/** What every refusal looks like (RFC 9457). Results have all members optional, so that both fit one schema. */
const PROBLEM = {
  status: { type: 'integer', description: 'HTTP status' },
  code: { type: 'string', description: 'Reason for the refusal; absent on success' },
  title: { type: 'string' },
  detail: { type: 'string' },
  request_id: { type: 'string' },
  errors: {
    type: 'array',
    items: {
      type: 'object',
      properties: { pointer: { type: 'string' }, reason: { type: 'string' } },
    },
  },
  example: { type: 'object', description: 'A valid example call, if the arguments are invalid' },
  candidates: {
    type: 'array',
    items: { type: 'object' },
    description: 'Endpoints that match an ambiguous name',
  },
}

const strings = { type: 'array', items: { type: 'string' } }
const text = (description: string, maxLength?: number): Members => ({
  type: 'string',
  ...(maxLength === undefined ? {} : { maxLength }),
  description,
})
const outputs = (properties: Members): Members => ({
  type: 'object',
  properties: { ...PROBLEM, ...properties },
})

const READS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false }

const ENDPOINT = text('Endpoint id, "METHOD /path" (template or concrete), or name')

const parameterList = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      name: { type: 'string' },
      type: { type: 'string' },
      required: { type: 'boolean' },
      enum: { type: 'array' },
      description: { type: 'string' },
    },
  },
}

const SEARCH: Tool = {
  name: 'search_endpoints',
  title: 'Search endpoints',
  description:
    'Finds endpoints by what they do, the best fit first. Use a few words, such as "refund a payment". Give the endpoint_id of a hit to inspect_contract or execute_call.',
  inputSchema: {
    type: 'object',
    properties: {
      query: text('Words of names, paths, descriptions, tags and parameters', 500),
      collection: text('Only this collection: id, slug or name'),
      limit: { type: 'integer', minimum: 1, maximum: 50, default: 10 },
    },
    required: ['query'],
    additionalProperties: false,
  },
  outputSchema: outputs({
    endpoints: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          endpoint_id: { type: 'string' },
          name: { type: 'string' },
          methods: strings,
          path: { type: 'string' },
          description: { type: 'string' },
        },
      },
    },
    matched: { type: 'integer', description: 'Number of matching endpoints, including those not shown' },
    hint: { type: 'string' },
  }),
  annotations: READS,
}

/** The tools of the Gateway MCP door, in the order in which they are used. */
export const TOOLS: readonly Tool[] = [
  {
    name: 'list_collections',
    title: 'List collections',
    description: 'Lists the API collections that you may call.',
    inputSchema: { type: 'object', properties: {}, additionalProperties: false },
    outputSchema: outputs({
      collections: {
        type: 'array',
        items: {
          type: 'object',
          properties: {
            collection_id: { type: 'string' },
            slug: { type: 'string' },
            name: { type: 'string' },
            description: { type: 'string' },
            base_path: { type: 'string' },
            published_endpoints: { type: 'integer' },
          },
        },
      },
    }),
    annotations: READS,
  },
  {
    name: 'list_endpoints',
    title: 'List endpoints',
    description: 'Lists the endpoints that you may call, of all collections or of one.',
    inputSchema: {
      type: 'object',
      properties: {
        collection: text('Only this collection: id, slug or name'),
        tags: { ...strings, description: 'Only endpoints with all these tags' },
        limit: { type: 'integer', minimum: 1, maximum: 500, default: 100 },
        cursor: text('next_cursor of the previous page'),
      },
      additionalProperties: false,
    },
    outputSchema: outputs({
      endpoints: {
        type: 'array',
        items: {
          type: 'object',
          properties: {
            endpoint_id: { type: 'string' },
            collection_id: { type: 'string' },
            collection_name: { type: 'string' },
            name: { type: 'string' },
            description: { type: 'string' },
            path: { type: 'string' },
            methods: strings,
            deprecated: { type: 'boolean' },
          },
        },
      },
      next_cursor: { type: ['string', 'null'] },
    }),
    annotations: READS,
  },
  {
    name: 'inspect_contract',
    title: 'Inspect contract',
    description:
      'Shows how to call an endpoint: parameters, request and response schema, examples, limits and a ready call_example for execute_call.',
    inputSchema: {
      type: 'object',
      properties: { endpoint: ENDPOINT, method: text('HTTP method, when the endpoint has several') },
      required: ['endpoint'],
      additionalProperties: false,
    },
    outputSchema: outputs({
      endpoint_id: { type: 'string' },
      name: { type: 'string' },
      description: { type: 'string' },
      path: { type: 'string' },
      methods: strings,
      deprecated: { type: 'boolean' },
      path_params: parameterList,
      query_params: parameterList,
      header_params: parameterList,
      request_schema: {},
      response_schema: {},
      request_example: {},
      response_example: {},
      auth: { type: 'object' },
      limits: { type: 'array', items: { type: 'object' } },
      call_example: { type: 'object' },
    }),
    annotations: READS,
  },
  {
    name: 'execute_call',
    title: 'Execute call',
    description:
      'Calls an endpoint through the gateway, under the same access rules and limits as a call over HTTP. Answers of status 400 and above are errors.',
    inputSchema: {
      type: 'object',
      properties: {
        endpoint: ENDPOINT,
        params: {
          type: 'object',
          description:
            'Parameters of the call. Names that the contract declares can also be given here directly, without path, query, headers or cookies.',
          properties: {
            path: { type: 'object', description: 'Values of the {parameters} in the path' },
            query: {
              type: 'object',
              description: 'Query parameters; lists and objects are written as the contract says',
            },
            headers: { type: 'object', description: 'Request headers' },
            cookies: { type: 'object', description: 'Cookies' },
            body: {
              description:
                'Request body: an object for JSON and forms, base64 for bytes. Sent in the media type of the contract unless a content-type header says otherwise',
            },
          },
        },
        method: text('HTTP method, when the endpoint has several'),
        fields: {
          ...strings,
          description: 'Keep only these JSON paths of the answer, such as items[*].id or customer.name',
        },
        max_bytes: {
          type: 'integer',
          minimum: 256,
          maximum: 1_048_576,
          default: 65_536,
          description: 'Largest body to return; more is cut',
        },
        idempotency_key: text('Sent as Idempotency-Key, so that a repeated call takes effect once'),
        reason: text('Reason for the call; stored in the request record'),
      },
      required: ['endpoint'],
      additionalProperties: false,
    },
    outputSchema: outputs({
      headers: { type: 'object', additionalProperties: { type: 'string' } },
      body: {},
      duration_ms: { type: 'number' },
      truncated: { type: 'boolean' },
      total_bytes: { type: 'integer' },
      hint: { type: ['string', 'null'] },
      retry_after_ms: { type: 'integer' },
    }),
    annotations: {
      readOnlyHint: false,
      destructiveHint: true,
      idempotentHint: false,
      openWorldHint: true,
    },
  },
]

/** The same with `search_endpoints` after the lists. */
export const TOOLS_WITH_SEARCH: readonly Tool[] = [...TOOLS.slice(0, 2), SEARCH, ...TOOLS.slice(2)]

type Kind = 'string' | 'strings' | 'integer' | 'object'

interface Rule {
  readonly kind: Kind
  readonly required?: boolean
  /** Characters, items or the value itself. */
  readonly min?: number
  readonly max: number
}

interface ToolArguments {
  readonly rules: Readonly<Record<string, Rule>>
  /** Other names that are understood but not listed. */
  readonly aliases: Readonly<Record<string, string>>
  readonly example: Members
}

const ENDPOINT_RULE: Rule = { kind: 'string', required: true, min: 1, max: 2048 }
const METHOD_RULE: Rule = { kind: 'string', min: 1, max: 16 }
const EXAMPLE_ENDPOINT = 'GET /orders/v1/orders/{id}'

export const TOOL_ARGUMENTS = {
  list_collections: { rules: {}, aliases: {}, example: {} },
  list_endpoints: {
    rules: {
      collection: { kind: 'string', min: 1, max: 256 },
      tags: { kind: 'strings', max: 20 },
      limit: { kind: 'integer', min: 1, max: 500 },
      cursor: { kind: 'string', min: 1, max: 4096 },
    },
    aliases: { collection_id: 'collection' },
    example: { collection: 'orders', limit: 50 },
  },
  search_endpoints: {
    rules: {
      query: { kind: 'string', required: true, min: 1, max: 500 },
      collection: { kind: 'string', min: 1, max: 256 },
      limit: { kind: 'integer', min: 1, max: 50 },
    },
    aliases: { collection_id: 'collection' },
    example: { query: 'refund a payment' },
  },
  inspect_contract: {
    rules: { endpoint: ENDPOINT_RULE, method: METHOD_RULE },
    aliases: { endpoint_id: 'endpoint' },
    example: { endpoint: EXAMPLE_ENDPOINT },
  },
  execute_call: {
    rules: {
      endpoint: ENDPOINT_RULE,
      params: { kind: 'object', max: 0 },
      method: METHOD_RULE,
      fields: { kind: 'strings', max: 64 },
      max_bytes: { kind: 'integer', min: 256, max: 1_048_576 },
      idempotency_key: { kind: 'string', min: 1, max: 255 },
      reason: { kind: 'string', max: CALL_REASON_CHARS_MAX },
    },
    aliases: { endpoint_id: 'endpoint' },
    example: { endpoint: EXAMPLE_ENDPOINT, params: { path: { id: '7' } } },
  },
} as const satisfies Record<string, ToolArguments>

export type ToolName = keyof typeof TOOL_ARGUMENTS

/** Longest item of a list of strings. */
const ITEM_CHARS_MAX = 256

type Checked =
  | { readonly ok: true; readonly values: ReadonlyMap<string, unknown> }
  /** `pointer` is into the arguments; `example` is a whole call. */
  | { readonly ok: false; readonly error: FieldError; readonly example: Members }

/** Checks arguments against the rules of the tool. Values are of the kind that the rule names; absent ones are absent. */
export function checkArguments(tool: ToolName, given: Members): Checked {
  const expected: ToolArguments = TOOL_ARGUMENTS[tool]
  const values = new Map<string, unknown>()
  for (const key of Object.keys(given)) {
    const value = given[key]
    const name = Object.hasOwn(expected.aliases, key) ? expected.aliases[key]! : key
    if (!Object.hasOwn(expected.rules, name))
      return wrong(
        tool,
        key,
        `no such argument; there are: ${Object.keys(expected.rules).join(', ') || 'none'}`,
      )
    if (values.has(name)) return wrong(tool, key, `${name} is given twice`)
    if (value === null || value === undefined) continue
    const fault = faultOf(expected.rules[name]!, value)
    if (fault !== null) return wrong(tool, key, fault)
    values.set(name, value)
  }
  for (const name of Object.keys(expected.rules))
    if (expected.rules[name]!.required === true && !values.has(name)) return wrong(tool, name, 'is required')
  return { ok: true, values }
}

function faultOf(rule: Rule, value: unknown): string | null {
  const { min = 0, max } = rule
  switch (rule.kind) {
    case 'string':
      return typeof value === 'string' && value.length >= min && value.length <= max
        ? null
        : `must be a string of ${min} to ${max} characters`
    case 'integer':
      return Number.isInteger(value) && Number(value) >= min && Number(value) <= max
        ? null
        : `must be an integer from ${min} to ${max}`
    case 'strings':
      return Array.isArray(value) &&
        value.length <= max &&
        value.every((item) => typeof item === 'string' && item.length <= ITEM_CHARS_MAX)
        ? null
        : `must be a list of at most ${max} strings`
    case 'object':
      return isMembers(value) ? null : 'must be an object'
  }
}

/** The refusal of arguments that break a rule: the place, and a call that would be right. */
function wrong(tool: ToolName, key: string, reason: string): Checked {
  return {
    ok: false,
    error: { pointer: pointerTo('', key.slice(0, 64)), reason },
    example: { name: tool, arguments: TOOL_ARGUMENTS[tool].example },
  }
}
