import { z } from 'zod'
import { unit } from '../../model/annotations.ts'
import type { MetricsQuestion } from '../../record/metrics.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import {
  asked,
  counts,
  coverage,
  gathered,
  measured,
  metricsOperation,
  Percentiles,
  toCounts,
} from './measure.ts'

const input = z.strictObject({
  ...asked,
  limit: z.coerce.number().int().min(1).max(200).default(10).describe('Maximum number of endpoints'),
})

const output = z.object({
  ...coverage,
  items: z.array(
    z.object({
      endpoint: z.string().describe('Method and route, as execute_call and explain take them'),
      ...counts,
      duration_ms: Percentiles,
      codes: z
        .array(z.object({ code: z.string(), requests: z.int().meta(unit('requests')) }))
        .describe('The most frequent problem codes; an error of the upstream itself has none'),
    }),
  ),
  endpoints: z.int().describe('Number of endpoints with calls'),
  unmatched: z.int().describe('Requests that matched no endpoint'),
})

const columns = [
  'endpoint',
  'requests',
  'errors',
  'error_rate',
  'client_errors',
  'server_errors',
  'duration_ms.p95',
]

export const metricsTopEndpoints = define({
  ...metricsOperation,
  action: 'top_endpoints',
  tool: 'metrics_top_endpoints',
  summary: 'List the endpoints with the most calls',
  input,
  output,
  columns,
  handle: (input, context) => endpoints(input, context, 'requests'),
})

export const metricsErrorEndpoints = define({
  ...metricsOperation,
  action: 'error_endpoints',
  tool: 'metrics_error_endpoints',
  summary:
    'List the endpoints with the highest error rates or the most errors, and their most frequent problems',
  input: input.extend({
    order: z
      .enum(['error_rate', 'errors'])
      .default('error_rate')
      .describe('First those with the largest share of errors, or with the most errors'),
  }),
  output,
  columns,
  handle: async ({ order, ...rest }, context) => {
    const answer = await endpoints(rest, context, order)
    return { ...answer, items: answer.items.filter(({ errors }) => errors > 0) }
  },
})

async function endpoints(
  { limit, ...rest }: z.output<typeof input>,
  context: OperationContext,
  order: MetricsQuestion['order'],
): Promise<z.output<typeof output>> {
  const { answer, coverage } = await measured(rest, context, gathered('endpoint', order, limit))
  const items = answer.groups.map((group) => ({
    endpoint: group.key.join(' '),
    ...toCounts(group),
    duration_ms: group.duration,
    codes: group.codes.map(([code, requests]) => ({ code, requests })),
  }))
  return { ...coverage, items, endpoints: answer.total, unmatched: answer.ungrouped }
}
