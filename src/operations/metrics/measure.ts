import { z } from 'zod'
import { toTime } from '../../base/clock.ts'
import { refuse } from '../../base/refusal.ts'
import { unit } from '../../model/annotations.ts'
import { When } from '../../model/members.ts'
import type { MetricsAnswer, MetricsGroup, MetricsQuestion } from '../../record/metrics.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Operation } from '../engine/define.ts'
import { selection, toSelection } from '../records/records.ts'

const DAY_MS = 86_400_000
const RANGE_MS_MAX = 90 * DAY_MS

/** Input of every question about metrics. */
export const asked = {
  ...selection,
  from: When.default('-24h').describe(
    'Start, inclusive: 2026-05-01T00:00:00Z, 2026-05-01, or -7d for 7 days ago',
  ),
  to: When.default('now').describe('End, exclusive: same format as from, or now. At most 90 days after from'),
}

/** How much of what was asked an answer counts. */
export const recordCoverage = {
  from: z.string(),
  to: z.string(),
  truncated: z
    .boolean()
    .describe(
      'True if the figures are incomplete: too many records, records removed by retention, or more groups than shown. Use narrower filters or a shorter time',
    ),
  complete_from: z
    .string()
    .describe(
      'Time from which all requests are counted. If truncated, earlier requests are counted only in part',
    ),
  sampled: z.literal(false).describe('Always false: every record that was read is counted'),
  records_read: z.int(),
}

/** How much of what was asked an answer about metrics counts. */
export const coverage = {
  ...recordCoverage,
  from_rollups: z
    .boolean()
    .describe(
      'True if rollups of minutes, hours and days were used: from and to are then full minutes, hours or days, and percentiles are accurate to 5 %',
    ),
}

const percentile = z.number().meta(unit('ms')).nullable()
export const Percentiles = z
  .object({ p50: percentile, p95: percentile, p99: percentile })
  .describe('Milliseconds, accurate to 2 %, or 5 % with from_rollups; responses only. Null if there are none')

/** Counts of a group of requests. */
export const counts = {
  requests: z.int().meta(unit('requests')),
  errors: z.int().describe('Responses with 4xx or 5xx'),
  error_rate: z.number().meta(unit('fraction')).describe('Share of requests that are errors, 0 to 1'),
  client_errors: z.int().describe('4xx'),
  server_errors: z.int().describe('5xx'),
  aborted: z.int().describe('The caller disconnected before the end'),
}

/** The counts of a group, with the share of them that failed. */
export function toCounts({
  requests,
  clientErrors,
  serverErrors,
  aborted,
}: Pick<MetricsGroup, 'requests' | 'clientErrors' | 'serverErrors' | 'aborted'>) {
  const errors = clientErrors + serverErrors
  return {
    requests,
    errors,
    error_rate: rateOf(errors, requests),
    client_errors: clientErrors,
    server_errors: serverErrors,
    aborted,
  }
}

/** To four decimals: more would say more than it knows. */
export function rateOf(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 10_000) / 10_000
}

/** What all of these operations have in common. */
export const metricsOperation = {
  resource: 'metrics',
  effect: 'read',
  group: 'query_metrics',
  permission: 'metrics:read',
  refuses: ['records_unavailable'],
  subject: () => ({ type: 'metrics', id: null, slug: null }),
} as const satisfies Partial<Operation>

interface Measured {
  readonly answer: MetricsAnswer
  readonly coverage: z.output<z.ZodObject<typeof coverage>>
  readonly fromMs: number
  readonly toMs: number
}

/** Asks for metrics of what the input selects. @param question what is gathered; its range in milliseconds is known by then */
export async function measured(
  { from, to, ...rest }: z.output<z.ZodObject<typeof asked>>,
  context: OperationContext,
  question: (fromMs: number, toMs: number) => Omit<MetricsQuestion, 'selection'>,
): Promise<Measured> {
  const chosen = await toSelection({ from, to, ...rest }, context)
  const [fromMs, toMs] = rangeOf(chosen)
  const answer = await context.records.metrics({ ...question(fromMs, toMs), selection: chosen })
  const { completeFrom } = answer
  return {
    answer,
    fromMs: answer.rolled?.fromMs ?? fromMs,
    toMs: answer.rolled?.toMs ?? toMs,
    coverage: {
      from: toTime(answer.rolled?.fromMs ?? fromMs),
      to: toTime(answer.rolled?.toMs ?? toMs),
      truncated: completeFrom !== null || answer.omitted > 0,
      complete_from: completeFrom ?? toTime(answer.rolled?.fromMs ?? fromMs),
      from_rollups: answer.rolled !== null,
      sampled: false,
      records_read: answer.read,
    },
  }
}

/** The time of a selection in milliseconds. Refuses one that is empty or longer than 90 days. */
export function rangeOf(selection: Readonly<Record<string, unknown>>): readonly [from: number, to: number] {
  const [fromMs, toMs] = [Date.parse(String(selection['from'])), Date.parse(String(selection['to']))]
  if (fromMs >= toMs) throw rangeFault('must be before to')
  if (toMs - fromMs > RANGE_MS_MAX) throw rangeFault('must be at most 90 days before to')
  return [fromMs, toMs]
}

function rangeFault(reason: string) {
  return refuse('input_invalid', {
    detail: `The time range is not valid: from ${reason}.`,
    errors: [{ pointer: '/from', reason }],
  })
}

/** A question whose groups come without a time of their own. */
export function gathered(
  by: MetricsQuestion['by'],
  order: MetricsQuestion['order'],
  limit: number,
): () => Omit<MetricsQuestion, 'selection'> {
  return () => ({ by, order, limit, bucketMs: DAY_MS })
}
