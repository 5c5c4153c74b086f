import { z } from 'zod'
import { toMs, toTime } from '../../base/clock.ts'
import { refuse } from '../../base/refusal.ts'
import { unit } from '../../model/annotations.ts'
import { Duration } from '../../model/members.ts'
import type { ResourceType } from '../../model/resource-types.ts'
import { EXPOSITION_TYPES, type ExpositionFormat, expositionFormatOf } from '../../record/exposition.ts'
import type { MetricsGroup, MetricsQuestion } from '../../record/metrics.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { booleanFilter } from '../engine/lists.ts'
import { aboveOf } from '../engine/refs.ts'
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
        .describe('The most frequent problem codes; an error of the upstream has none'),
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
      .describe('Sort by share of errors, or by number of errors'),
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

/** Widths that are taken unless one is given: the first that gives no more than {@link BUCKETS_WANTED}. */
const WIDTHS = ['10s', '1m', '5m', '15m', '1h', '6h', '1d'] as const
const BUCKETS_WANTED = 120
const BUCKETS_MAX = 1000

const NO_LATENCY = { p50: null, p95: null, p99: null }

export const metricsOverTime = define({
  ...metricsOperation,
  action: 'over_time',
  tool: 'metrics_over_time',
  summary: 'Show requests, errors and latency over time',
  input: z.strictObject({
    ...asked,
    bucket: Duration.optional().describe(
      `Width of a point, such as 5m. Default: depends on the period. At most ${BUCKETS_MAX} points`,
    ),
  }),
  output: z.object({
    ...coverage,
    bucket: z.string(),
    items: z
      .array(
        z.object({ time: z.string().describe('Its start, in UTC'), ...counts, duration_ms: Percentiles }),
      )
      .describe('All points of the period, oldest first; if truncated, from complete_from'),
  }),
  columns: ['time', 'requests', 'errors', 'error_rate', 'duration_ms.p50', 'duration_ms.p95'],
  handle: async ({ bucket, ...rest }, context) => pointsOf(rest, bucket, context),
})

/** @param bucket Width of a point; undefined: by the range */
async function pointsOf(
  input: z.output<z.ZodObject<typeof asked>>,
  bucket: string | undefined,
  context: OperationContext,
) {
  let width = bucket ?? ''
  const {
    answer,
    coverage,
    fromMs,
    toMs: endMs,
  } = await measured(input, context, (from, to) => {
    width = bucket ?? widthFor(to - from)
    const points = (to - from) / toMs(width)
    if (points > BUCKETS_MAX) throw tooNarrow(width)
    return { by: 'time', order: 'key', limit: BUCKETS_MAX + 2, bucketMs: toMs(width) }
  })
  const bucketMs = toMs(width)
  const groups = new Map(answer.groups.map((group) => [Number(group.key[0]), group]))
  const completeMs = Date.parse(coverage.complete_from)
  const items = []
  for (let at = Math.floor(fromMs / bucketMs) * bucketMs; at < endMs; at += bucketMs)
    if (!coverage.truncated || at >= completeMs) items.push(toPoint(at, groups.get(at)))
  return { ...coverage, bucket: width, items }
}

function widthFor(rangeMs: number): string {
  return WIDTHS.find((width) => rangeMs / toMs(width) <= BUCKETS_WANTED) ?? '1d'
}

function toPoint(at: number, group: MetricsGroup | undefined) {
  const empty = { requests: 0, clientErrors: 0, serverErrors: 0, aborted: 0 }
  return {
    time: toTime(at),
    ...toCounts(group ?? empty),
    duration_ms: group?.duration ?? NO_LATENCY,
  }
}

function tooNarrow(width: string) {
  return refuse('input_invalid', {
    detail: `Points of ${width} are more than ${BUCKETS_MAX} in this time.`,
    errors: [{ pointer: '/bucket', reason: `wider, so that there are at most ${BUCKETS_MAX}` }],
  })
}

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
  from_agents: z.int().describe('Requests over MCP'),
  clients: z
    .int()
    .nullable()
    .describe(
      'Number of clients; null if from_rollups and there are other filters than collection, client and status',
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
    before: booleanFilter.optional().describe('Adds the totals of the previous period of the same length'),
    points: booleanFilter.optional().describe('Adds requests and errors over time'),
  }),
  output: z.object({
    ...totals,
    before: z.object(totals).nullable().describe('The previous period; null unless requested'),
    points: z
      .object({
        bucket: z.string().describe('Width of a point'),
        items: z.array(z.object({ time: z.string().describe('Its start, in UTC'), ...counts })),
      })
      .nullable()
      .describe('All points of the period, oldest first, as in over_time; null unless requested'),
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
  handle: async ({ before, points: hasPoints, ...input }, context) => {
    const { fromMs, toMs, ...now } = await totalsOf(input, context)
    let points = null
    if (hasPoints === true) {
      const { bucket, items } = await pointsOf(input, undefined, context)
      points = { bucket, items: items.map(({ duration_ms: _, ...point }) => point) }
    }
    if (before !== true) return { ...now, before: null, points }
    const period = { from: toTime(2 * fromMs - toMs), to: toTime(fromMs) }
    const { fromMs: _, toMs: __, ...past } = await totalsOf({ ...input, ...period }, context)
    return { ...now, before: past, points }
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

/** What requests are gathered by, and the resources that it names; null for names that callers give. */
const GROUPINGS = {
  collection: 'collections',
  proxy: 'proxies',
  client: 'clients',
  profile: 'profiles',
  agent: null,
  virtual_mcp: 'virtual_mcps',
  origin: 'origins',
} as const satisfies Record<string, ResourceType | null>
type Grouping = keyof typeof GROUPINGS
const NAMES = Object.keys(GROUPINGS) as [Grouping, ...Grouping[]]

export const metricsTop = define({
  ...metricsOperation,
  action: 'top',
  tool: 'metrics_top',
  summary:
    'List the collections, proxies, clients, profiles, agents, virtual MCPs or origins with the most calls',
  input: z.strictObject({
    ...asked,
    by: z.enum(NAMES).default('collection').describe('Grouping of the requests'),
    order: z
      .enum(['requests', 'error_rate'])
      .default('requests')
      .describe('Sort by number of requests, or by share of errors'),
    limit: z.coerce.number().int().min(1).max(200).default(10).describe('Maximum number of items'),
  }),
  output: z.object({
    ...coverage,
    by: z.enum(NAMES),
    items: z.array(
      z.object({
        id: z.string().describe('Id of the resource, or name of the agent'),
        slug: z.string().nullable().describe('Slug for commands; null for agents and for deleted resources'),
        ...counts,
        duration_ms: Percentiles,
      }),
    ),
    entries: z.int().describe('Number of items with calls'),
  }),
  columns: ['slug', 'id', 'requests', 'errors', 'error_rate', 'duration_ms.p50', 'duration_ms.p95'],
  handle: async ({ by, order, limit, ...rest }, context) => {
    const { answer, coverage } = await measured(rest, context, gathered(by, order, limit))
    const items = []
    for (const group of answer.groups) {
      const id = String(group.key[0])
      items.push({
        id,
        slug: await slugOf(context, GROUPINGS[by], id),
        ...toCounts(group),
        duration_ms: group.duration,
      })
    }
    return { ...coverage, by, items, entries: answer.total }
  },
})

async function slugOf(
  { reader }: OperationContext,
  type: ResourceType | null,
  id: string,
): Promise<string | null> {
  const found = type === null ? undefined : await reader.byId(type, id)
  if (found === undefined) return null
  const above = await aboveOf(reader, found)
  return above === undefined ? found.slug : `${above.slug}:${found.slug}`
}

/**
 * The metrics page for callers with a token. It is on no surface but its own path, `/metrics`. The page covers everything, so
 * a grant within a scope does not permit it.
 * @param page the text of a format
 */
export function createScrape(page: (format: ExpositionFormat) => string) {
  return define({
    ...metricsOperation,
    action: 'scrape',
    tool: 'scrape_metrics',
    summary: 'The metrics page',
    input: z.strictObject({ accept: z.string().describe('Value of the Accept field') }),
    output: z.object({ content_type: z.string(), text: z.string() }),
    unscoped: true,
    columns: ['text'],
    handle: async ({ accept }) => {
      const format = expositionFormatOf(accept)
      return { content_type: EXPOSITION_TYPES[format], text: page(format) }
    },
  })
}
