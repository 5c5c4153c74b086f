import { z } from 'zod'
import { unit } from '../../model/annotations.ts'
import { define } from '../engine/define.ts'
import {
  asked,
  counts,
  coverage,
  gathered,
  measured,
  metricsOperation,
  Percentiles,
  rateOf,
  toCounts,
} from './measure.ts'

/** Statuses and methods are few, even where callers invent them. */
const GROUPS_SHOWN = 200

export const metricsStatusCodes = define({
  ...metricsOperation,
  action: 'status_codes',
  tool: 'metrics_status_codes',
  summary: 'Count requests by response status',
  input: z.strictObject(asked),
  output: z.object({
    ...coverage,
    items: z.array(
      z.object({
        status: z.int().describe('HTTP status; 0 if the caller disconnected before a response'),
        requests: z.int().meta(unit('requests')),
        share: z.number().meta(unit('fraction')).describe('Share of all requests, 0 to 1'),
      }),
    ),
  }),
  columns: ['status', 'requests', 'share'],
  handle: async (input, context) => {
    const { answer, coverage } = await measured(input, context, gathered('status', 'key', GROUPS_SHOWN))
    const all = answer.groups.reduce((sum, { requests }) => sum + requests, answer.omitted)
    const items = answer.groups.map(({ key, requests }) => ({
      status: Number(key[0]),
      requests,
      share: rateOf(requests, all),
    }))
    return { ...coverage, truncated: coverage.truncated || answer.total > items.length, items }
  },
})

export const metricsMethods = define({
  ...metricsOperation,
  action: 'methods',
  tool: 'metrics_methods',
  summary: 'Count requests by HTTP method, with errors and latency',
  input: z.strictObject(asked),
  output: z.object({
    ...coverage,
    items: z.array(z.object({ method: z.string(), ...counts, duration_ms: Percentiles })),
  }),
  columns: ['method', 'requests', 'errors', 'error_rate', 'duration_ms.p95'],
  handle: async (input, context) => {
    const { answer, coverage } = await measured(input, context, gathered('method', 'requests', GROUPS_SHOWN))
    const items = answer.groups.map((group) => ({
      method: String(group.key[0]),
      ...toCounts(group),
      duration_ms: group.duration,
    }))
    return { ...coverage, truncated: coverage.truncated || answer.total > items.length, items }
  },
})
