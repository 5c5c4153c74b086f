import type { Tool } from '../protocol/door.ts'
import type { Members } from '../protocol/message.ts'

/** Milliseconds for which a client may keep a list, which depends on what its profile may call. */
export const LIST_TTL_MS = 60_000

export const INSTRUCTIONS =
  'APIs behind this gateway, as far as you may call them. list_collections and list_endpoints show what there is; ' +
  'inspect_contract shows parameters, schemas, limits and a ready call_example; execute_call runs it. ' +
  'An endpoint is named by its id, by "METHOD /path" (a template or a concrete path), or by its name. ' +
  'Large answers are cut: narrow them with fields or the paging parameters of the endpoint.'

export const EXPANDED_INSTRUCTIONS =
  'APIs behind this gateway, as far as you may call them. Each tool calls one endpoint with one method; its name begins with the ' +
  'collection that the endpoint belongs to. Arguments are the parameters of the endpoint, and body is the request body. ' +
  'A result has the HTTP status and the body of the answer; large bodies are cut.'

/** What every refusal looks like (RFC 9457). Results have all members optional, so that both fit one schema. */
const PROBLEM = {
  status: { type: 'integer', description: 'HTTP status' },
  code: { type: 'string', description: 'Why it was refused; absent on success' },
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
  example: { type: 'object', description: 'A call that would be right, where the arguments are wrong' },
  candidates: {
    type: 'array',
    items: { type: 'object' },
    description: 'Endpoints that fit an ambiguous name',
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
    matched: { type: 'integer', description: 'Endpoints that fit, shown or not' },
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
        tags: { ...strings, description: 'Only endpoints that have all these tags' },
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
            'Parameters of the call. Names that the contract declares may also stand here directly, without path, query, headers or cookies.',
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
        reason: text('Why you call; kept in the request record'),
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
