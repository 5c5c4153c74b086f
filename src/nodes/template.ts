import type { z } from 'zod'
import { WorkflowDefinition } from '../model/workflow/workflow.ts'

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
export const passed = (from: string): NodeInput => ({
  id: 'ok',
  type: 'response_node',
  inputs: {
    status: `{{ $.${from}.status }}`,
    headers: `{{ $.${from}.headers }}`,
    body: `{{ $.${from}.body }}`,
  },
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
