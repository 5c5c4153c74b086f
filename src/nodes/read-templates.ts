/**
 * Templates of workflows that store answers of GET requests. Other methods, and answers other than 200, pass as without a
 * workflow.
 */
import { z } from 'zod'
import { Duration } from '../model/members.ts'
import { WorkflowDefinition } from '../model/workflow/workflow.ts'

const Shared = z
  .boolean()
  .default(false)
  .describe(
    'One cached response for all callers. Use it only if the responses of the upstream do not depend on the caller',
  )

/** Whatever an answer may depend on, as a key of bounded length. */
function keyOf(isShared: boolean): string {
  const caller = ['client', 'profile', 'subject']
  const parts = [...(isShared ? [] : caller), 'path', 'query'].map((name) => `$.http.request.${name}`)
  const headers = ['accept', 'accept-language'].map((name) => `$.http.request.headers.get(['${name}'], '')`)
  return `{{ hash.sha256(json.stringify([${[...parts, ...headers].join(', ')}])) }}`
}

const isRead: NodeInput = {
  id: 'reads',
  type: 'condition_node',
  inputs: { expression: '{{ $.http.request.method == "GET" }}' },
}
export const passed = (from: string): NodeInput => ({
  id: 'ok',
  type: 'response_node',
  inputs: {
    status: `{{ $.${from}.status }}`,
    headers: `{{ $.${from}.headers }}`,
    body: `{{ $.${from}.body }}`,
  },
})

const plain: readonly NodeInput[] = [
  { id: 'plain', type: 'proxy_node' },
  { ...passed('plain'), id: 'passed' },
]
const PLAIN_EDGES = ['http reads', 'reads false plain', 'plain success passed']

/** Keeps a good answer, and goes on at `ok` whether it could be kept or not. */
function keeping(key: string, ttl: string): readonly NodeInput[] {
  return [
    { id: 'good', type: 'condition_node', inputs: { expression: '{{ $.call.status == 200 }}' } },
    {
      id: 'keep',
      type: 'cache_node',
      config: { op: 'set', ttl },
      inputs: {
        key,
        value: {
          type: "{{ $.call.headers.get(['content-type'], 'application/json') }}",
          body: '{{ $.call.body }}',
        },
      },
      // Neither text nor JSON, or too long
      on_error: 'fallback',
      fallback: { kept: false },
    },
    passed('call'),
    {
      id: 'old',
      type: 'response_node',
      inputs: { headers: { 'content-type': '{{ $.kept.value.type }}' }, body: '{{ $.kept.value.body }}' },
    },
  ]
}
const KEEPING_EDGES = ['call success good', 'good true keep', 'good false ok', 'keep ok', 'kept hit old']

export const READ_TEMPLATES: readonly Template[] = [
  template(
    'resiliency',
    'Repeats a failed read. If it still fails, returns the last successful response or, without one, a standard error',
    z.strictObject({
      retries: z.int().min(1).max(5).default(2).describe('How often a failed read is repeated'),
      timeout: Duration.default('5s').describe('Time for each attempt'),
      keep: Duration.default('10m').describe('Time for which a successful response can be returned later'),
      shared: Shared,
    }),
    ({ retries, timeout, keep, shared }) => ({
      nodes: [
        isRead,
        ...plain,
        {
          ...upstream,
          timeout,
          retry: { max: retries, on: ['timeout', '502', '503', '504'] },
          on_error: 'handle',
        },
        ...keeping(keyOf(shared), keep),
        { id: 'kept', type: 'cache_node', config: { op: 'get' }, inputs: { key: keyOf(shared) } },
        problem('down', 503, 'upstream_unavailable', 'The service cannot be reached. Try again later.'),
      ],
      edges: [...PLAIN_EDGES, ...KEEPING_EDGES, ...['reads true call', 'call error kept', 'kept miss down']],
    }),
  ),
  template(
    'cached-read',
    'Caches the responses of reads',
    z.strictObject({
      ttl: Duration.default('1m').describe('Time for which a cached response is returned'),
      shared: Shared,
    }),
    ({ ttl, shared }) => ({
      nodes: [
        isRead,
        ...plain,
        { id: 'kept', type: 'cache_node', config: { op: 'get' }, inputs: { key: keyOf(shared) } },
        upstream,
        ...keeping(keyOf(shared), ttl),
      ],
      edges: [...PLAIN_EDGES, ...KEEPING_EDGES, 'reads true kept', 'kept miss call'],
    }),
  ),
]

/** A definition with parameters. */
export interface Template {
  readonly name: string
  readonly summary: string
  readonly parameters: z.ZodObject
  build(parameters: Readonly<Record<string, unknown>>): WorkflowDefinition
}

type Input = z.input<typeof WorkflowDefinition>
export type NodeInput = NonNullable<Input['nodes']>[number]

export function template<P extends z.ZodObject>(
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

export const answer = (id: string, body: unknown, status?: number): NodeInput => ({
  id,
  type: 'response_node',
  ...(status === undefined ? {} : { config: { status } }),
  inputs: { body: body as string },
})
/** An error of the workflow itself (RFC 9457). */
export const problem = (id: string, status: number, code: string, detail: string): NodeInput => ({
  id,
  type: 'response_node',
  config: { status },
  inputs: { problem: { code, detail } },
})
/** Answers a caller whom the node `rate` has not admitted. */
export const limited: NodeInput = {
  id: 'limited',
  type: 'response_node',
  config: { status: 429 },
  inputs: {
    headers: { 'Retry-After': '{{ math.ceil($.rate.reset_ms / 1000.0) }}' },
    problem: {
      code: 'rate_limit_exceeded',
      detail: 'The client has used up the rate of this endpoint.',
    },
  },
}
/** The value of a header that may be absent. */
export function headerValue(header: string): string {
  const name = JSON.stringify(header)
  return `{{ ${name} in $.http.request.headers ? $.http.request.headers[${name}] : "" }}`
}
export const upstream: NodeInput = { id: 'call', type: 'proxy_node' }
