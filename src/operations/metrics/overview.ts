import { z } from 'zod'
import { toTime } from '../../base/clock.ts'
import { unit } from '../../model/annotations.ts'
import type { MetricsGroup } from '../../record/metrics.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { booleanFilter } from '../engine/lists.ts'
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

const NONE = { p50: null, p95: null, p99: null }
const NOTHING: MetricsGroup = {
  key: [],
  requests: 0,
  clientErrors: 0,
  serverErrors: 0,
  aborted: 0,
  bytesIn: 0,
  bytesOut: 0,
  agents: 0,
  clients: 0,
  duration: NONE,
  upstream: NONE,
  gateway: NONE,
  codes: [],
}

const totals = {
  ...coverage,
  ...counts,
  from_agents: z.int().describe('Requests that came over MCP'),
  clients: z
    .int()
    .nullable()
    .describe(
      'Distinct clients; null if from_rollups and the question is narrowed by more than collection, client and status',
    ),
  bytes_in: z.int().meta(unit('bytes')),
  bytes_out: z.int().meta(unit('bytes')),
  duration_ms: Percentiles,
  upstream_ms: Percentiles,
  gateway_ms: Percentiles,
}

export const metricsOverview = define({
  ...metricsOperation,
  action: 'overview',
  tool: 'metrics_overview',
  summary: 'Show totals: requests, errors, latency, bytes and distinct clients. Default: the last 24 hours',
  input: z.strictObject({
    ...asked,
    before: booleanFilter
      .optional()
      .describe('Adds the totals of the period of the same length that ends at from'),
  }),
  output: z.object({
    ...totals,
    before: z.object(totals).nullable().describe('The period before; null unless it was asked for'),
  }),
  columns: [
    ...['from', 'to', 'requests', 'errors', 'error_rate', 'client_errors', 'server_errors', 'aborted'],
    ...['from_agents', 'clients', 'bytes_in', 'bytes_out'],
    ...[
      'duration_ms.p50',
      'duration_ms.p95',
      'duration_ms.p99',
      'upstream_ms.p95',
      'gateway_ms.p95',
      'truncated',
    ],
  ],
  handle: async ({ before, ...input }, context) => {
    const { fromMs, toMs, ...now } = await totalsOf(input, context)
    if (before !== true) return { ...now, before: null }
    const period = { from: toTime(2 * fromMs - toMs), to: toTime(fromMs) }
    const { fromMs: _, toMs: __, ...past } = await totalsOf({ ...input, ...period }, context)
    return { ...now, before: past }
  },
})

async function totalsOf(input: z.output<z.ZodObject<typeof asked>>, context: OperationContext) {
  const { answer, coverage, fromMs, toMs } = await measured(input, context, gathered('all', 'key', 1))
  const all = answer.groups[0] ?? NOTHING
  return {
    ...{ fromMs, toMs },
    ...coverage,
    ...toCounts(all),
    from_agents: all.agents,
    clients: all.clients,
    bytes_in: all.bytesIn,
    bytes_out: all.bytesOut,
    duration_ms: all.duration,
    upstream_ms: all.upstream ?? NONE,
    gateway_ms: all.gateway ?? NONE,
  }
}
