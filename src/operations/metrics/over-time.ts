import { z } from 'zod'
import { toMs, toTime } from '../../base/clock.ts'
import { refuse } from '../../base/refusal.ts'
import { Duration } from '../../model/members.ts'
import type { MetricsGroup } from '../../record/metrics.ts'
import { define } from '../engine/define.ts'
import { asked, counts, coverage, measured, metricsOperation, Percentiles, toCounts } from './measure.ts'

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
      `Width of a point, such as 5m; by the range when absent. At most ${BUCKETS_MAX} points`,
    ),
  }),
  output: z.object({
    ...coverage,
    bucket: z.string(),
    items: z
      .array(
        z.object({ time: z.string().describe('Its start, in UTC'), ...counts, duration_ms: Percentiles }),
      )
      .describe('Every point of the range, oldest first; where truncated, those from complete_from on'),
  }),
  columns: ['time', 'requests', 'errors', 'error_rate', 'duration_ms.p50', 'duration_ms.p95'],
  handle: async ({ bucket, ...rest }, context) => {
    let width = bucket ?? ''
    const {
      answer,
      coverage,
      fromMs,
      toMs: endMs,
    } = await measured(rest, context, (from, to) => {
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
  },
})

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
