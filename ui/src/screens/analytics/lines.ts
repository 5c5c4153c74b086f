/** Answers of `metrics.over_time` as lines of charts. */
import type { Output } from '../../api/client.ts'
import type { ChartSeries } from '../../kit/chart.tsx'
import { counted } from '../../schema/value.ts'

export type OverTime = Output<'metrics.over_time'>
export type Point = OverTime['items'][number]

export interface Lines {
  /** Seconds since 1970. */
  readonly times: readonly number[]
  /** The last point is incomplete. */
  readonly isRunning: boolean
  readonly requests: readonly ChartSeries[]
  readonly durations: readonly ChartSeries[]
}

interface LineOptions {
  /** From the period before to this one, milliseconds. */
  readonly shift: number
  /** Of a point, milliseconds. */
  readonly width: number
  /** With the line of p99, whose peaks press the others onto the axis. */
  readonly hasP99: boolean
}

/**
 * Lines of the points, and dashed those of the period before. The last point of a time that goes on is not full: it is drawn with a
 * dot, and `isRunning` says so.
 */
export function linesOf(
  now: OverTime,
  before: OverTime | null,
  { shift, width, hasP99 }: LineOptions,
): Lines {
  const points = now.items
  const last = points.at(-1)
  const times = points.map(({ time }) => Date.parse(time) / 1000)
  const earlier = new Map(before?.items.map((point) => [Date.parse(point.time) + shift, point]))
  const past = (value: (point: Point) => number | null): (number | null)[] =>
    points.map(({ time }) => {
      const found = earlier.get(Date.parse(time))
      return found === undefined ? null : value(found)
    })
  const line = (
    label: string,
    ink: ChartSeries['ink'],
    value: (point: Point) => number | null,
  ): ChartSeries => ({ label, ink, values: points.map(value) })
  return {
    times,
    isRunning: last !== undefined && Date.parse(last.time) + width > Date.parse(now.to),
    requests: [
      ...(before === null
        ? []
        : [
            {
              label: 'Requests before',
              ink: 'muted' as const,
              values: past((one) => one.requests),
              isDashed: true,
            },
          ]),
      line('Requests', 'accent', ({ requests }) => requests),
      line('4xx', 'warn', ({ client_errors }) => client_errors),
      line('5xx', 'bad', ({ server_errors }) => server_errors),
    ],
    durations: [
      ...(before === null
        ? []
        : [
            {
              label: 'p95 before',
              ink: 'muted' as const,
              values: past((one) => one.duration_ms.p95),
              isDashed: true,
            },
          ]),
      line('p50', 'ok', ({ duration_ms }) => duration_ms.p50),
      line('p95', 'accent', ({ duration_ms }) => duration_ms.p95),
      ...(hasP99 ? [line('p99', 'warn', ({ duration_ms }) => duration_ms.p99)] : []),
    ],
  }
}

/** The chart of requests in a sentence. */
export function requestsSummary({ items, bucket }: OverTime): string {
  const sum = (value: (point: Point) => number): number => items.reduce((all, point) => all + value(point), 0)
  const peak = items.reduce<Point | null>(
    (most, point) => (most === null || point.requests > most.requests ? point : most),
    null,
  )
  if (peak === null) return 'Requests over time: no requests.'
  return (
    `Requests over time, ${counted(items.length, 'point')} of ${bucket}: ${counted(
      sum(({ requests }) => requests),
      'request',
    )}, ` +
    `${sum(({ client_errors }) => client_errors)} with 4xx, ${sum(({ server_errors }) => server_errors)} with 5xx. ` +
    `The highest count is ${peak.requests} at ${peak.time}.`
  )
}

/** The chart of durations in a sentence. */
export function durationsSummary({ items, bucket }: OverTime): string {
  const worst = items.reduce<Point | null>(
    (most, point) =>
      point.duration_ms.p95 !== null && point.duration_ms.p95 > (most?.duration_ms.p95 ?? -1) ? point : most,
    null,
  )
  if (worst === null) return 'Duration over time: no responses.'
  return `Duration over time, ${counted(items.length, 'point')} of ${bucket}. The longest p95 is ${worst.duration_ms.p95} ms at ${worst.time}.`
}
