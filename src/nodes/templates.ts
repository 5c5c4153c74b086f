import { z } from 'zod'
import { Ref } from '../model/slug.ts'
import { Duration } from '../model/time.ts'
import { WorkflowDefinition } from '../model/workflow.ts'
import { Text, WebUrl } from './node-type.ts'

/** A definition with parameters. */
interface Template {
  readonly name: string
  readonly summary: string
  readonly parameters: z.ZodObject
  build(parameters: Readonly<Record<string, unknown>>): WorkflowDefinition
}

type Input = z.input<typeof WorkflowDefinition>
type NodeInput = NonNullable<Input['nodes']>[number]

function template<P extends z.ZodObject>(
  name: string,
  summary: string,
  parameters: P,
  form: (parameters: z.output<P>) => {
    readonly nodes: readonly NodeInput[]
    /** `from to`, `from handle to`. */
    readonly edges: readonly string[]
  },
): Template {
  return {
    name,
    summary,
    parameters,
    build(given) {
      // Parsed by this very schema
      const { nodes, edges } = form(given as z.output<P>)
      return WorkflowDefinition.parse({
        nodes: [{ id: 'http', type: 'http_trigger' }, ...nodes],
        edges: edges.map((text) => {
          const parts = text.split(' ')
          return { from: parts[0], to: parts.at(-1), ...(parts.length === 3 ? { handle: parts[1] } : {}) }
        }),
      })
    },
  }
}

const answer = (id: string, body: unknown, status?: number): NodeInput => ({
  id,
  type: 'response_node',
  ...(status === undefined ? {} : { config: { status } }),
  inputs: { body: body as string },
})
const problem = (id: string, status: number, code: string): NodeInput => ({
  id,
  type: 'response_node',
  config: { status },
  inputs: { problem: { code } },
})
const passed = (from: string): NodeInput => ({
  id: 'ok',
  type: 'response_node',
  inputs: {
    status: `{{ $.${from}.status }}`,
    headers: `{{ $.${from}.headers }}`,
    body: `{{ $.${from}.body }}`,
  },
})
const upstream: NodeInput = { id: 'call', type: 'proxy_node' }
const Format = z.enum(['json', 'xml', 'csv', 'form'])
const PATH = z.string().regex(/^\//, 'a path').max(1024)
const BODY = '{{ $.http.request.body }}'

export const TEMPLATES: readonly Template[] = [
  template(
    'orchestration',
    'Two calls of the upstream side by side, answered as one',
    z.strictObject({ first: PATH, second: PATH }),
    ({ first, second }) => ({
      nodes: [
        { id: 'a', type: 'proxy_node', inputs: { path: first } },
        { id: 'b', type: 'proxy_node', inputs: { path: second } },
        { id: 'both', type: 'join_node' },
        answer('ok', { first: '{{ $.a.body }}', second: '{{ $.b.body }}' }),
      ],
      edges: ['http a', 'http b', 'a success both', 'b success both', 'both ok'],
    }),
  ),
  template(
    'transformation',
    'Request and answer in another form',
    z.strictObject({ to_upstream: Format, to_caller: Format }),
    ({ to_upstream, to_caller }) => ({
      nodes: [
        convert('before', BODY, to_caller, to_upstream),
        { ...upstream, inputs: { body: '{{ $.before.value }}' } },
        convert('after', '{{ $.call.body }}', to_upstream, to_caller),
        answer('ok', '{{ $.after.value }}'),
      ],
      edges: ['http before', 'before call', 'call success after', 'after ok'],
    }),
  ),
  template(
    'resiliency',
    'Bounded repeats, then what was kept from before, then one standard error',
    z.strictObject({ retries: z.int().min(1).max(5).default(2), ttl: Duration.default('10m') }),
    ({ retries, ttl }) => {
      const key = '{{ $.http.request.path }}'
      return {
        nodes: [
          { ...upstream, retry: { max: retries, on: ['timeout', '502', '503', '504'] }, on_error: 'handle' },
          {
            id: 'keep',
            type: 'cache_node',
            config: { op: 'set', ttl },
            inputs: { key, value: '{{ $.call.body }}' },
          },
          answer('ok', '{{ $.call.body }}'),
          { id: 'kept', type: 'cache_node', config: { op: 'get', ttl, allow_stale: true }, inputs: { key } },
          answer('old', '{{ $.kept.value }}'),
          problem('down', 503, 'upstream_unavailable'),
        ],
        edges: [
          ...['call success keep', 'keep ok', 'call error kept'],
          ...['http call', 'kept hit old', 'kept stale old', 'kept miss down'],
        ],
      }
    },
  ),
  template(
    'canary-routing',
    'Callers with a header go to another path',
    z.strictObject({ header: Text.default('x-canary'), value: Text.default('true'), path: PATH }),
    ({ header, value, path }) => ({
      nodes: [
        {
          id: 'which',
          type: 'switch_node',
          config: { cases: [{ label: 'canary', match: value }] },
          inputs: { value: `{{ $.http.request.headers["${header}"] }}` },
        },
        { id: 'new', type: 'proxy_node', inputs: { path } },
        upstream,
        { ...passed('new'), id: 'from_new' },
        passed('call'),
      ],
      edges: ['http which', 'which canary new', 'which call', 'new success from_new', 'call success ok'],
    }),
  ),
  template(
    'auth-and-limit',
    'A scope of the caller, and a limit of its own',
    z.strictObject({ scope: Text, max: z.int().min(1).default(100), window: Duration.default('1m') }),
    ({ scope, max, window }) => ({
      nodes: [
        { id: 'may', type: 'auth_check_node', config: { scopes: [scope] } },
        {
          id: 'rate',
          type: 'rate_limit_node',
          config: { max, window },
          inputs: { key: '{{ $.http.request.client }}' },
        },
        upstream,
        passed('call'),
        problem('denied', 403, 'endpoint_not_allowed'),
        problem('limited', 429, 'rate_limit_exceeded'),
      ],
      edges: [
        ...['http may', 'may true rate', 'may false denied', 'rate true call', 'rate false limited'],
        'call success ok',
      ],
    }),
  ),
  template(
    'cached-read',
    'An answer that is kept for a time',
    z.strictObject({ ttl: Duration.default('1m') }),
    ({ ttl }) => {
      const key = '{{ $.http.request.path }}'
      return {
        nodes: [
          { id: 'kept', type: 'cache_node', config: { op: 'get', ttl }, inputs: { key } },
          answer('old', '{{ $.kept.value }}'),
          upstream,
          {
            id: 'keep',
            type: 'cache_node',
            config: { op: 'set', ttl },
            inputs: { key, value: '{{ $.call.body }}' },
          },
          answer('ok', '{{ $.call.body }}'),
        ],
        edges: [...['http kept', 'kept hit old', 'kept miss call'], ...['call success keep', 'keep ok']],
      }
    },
  ),
  template(
    'async-accept',
    'Taken at once, and handed on by a topic',
    z.strictObject({ credential: Ref, topic: Text }),
    ({ credential, topic }) => ({
      nodes: [
        { id: 'send', type: 'kafka_node', config: { credential, topic }, inputs: { value: BODY } },
        answer('taken', { id: '{{ $.send.id }}' }, 202),
      ],
      edges: ['http send', 'send success taken'],
    }),
  ),
  template(
    'guarded-llm',
    'A question to a model, without what must not leave',
    z.strictObject({ endpoint: WebUrl, model: Text, credential: Ref }),
    ({ endpoint, model, credential }) => ({
      nodes: [
        {
          id: 'clean',
          type: 'redact_node',
          config: { detectors: ['email', 'card', 'iban', 'phone', 'secret'] },
          inputs: { value: BODY },
        },
        {
          id: 'ask',
          type: 'llm_node',
          config: { endpoint, model, credential },
          inputs: { messages: [{ role: 'user', content: '{{ $.clean.value }}' }] },
        },
        answer('ok', { text: '{{ $.ask.text }}' }),
      ],
      edges: ['http clean', 'clean ask', 'ask success ok'],
    }),
  ),
  template(
    'mcp-bridge',
    'A tool of an MCP server as an endpoint',
    z.strictObject({ origin: Ref, tool: Text }),
    ({ origin, tool }) => ({
      nodes: [
        { id: 'ask', type: 'mcp_call_node', config: { origin, tool }, inputs: { arguments: BODY } },
        answer('ok', '{{ $.ask.structured }}'),
      ],
      edges: ['http ask', 'ask success ok'],
    }),
  ),
]

function convert(id: string, value: string, from: string, to: string): NodeInput {
  return { id, type: 'transform_node', config: { op: 'convert', from, to }, inputs: { value } }
}
