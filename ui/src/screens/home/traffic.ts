/** The points of `metrics.overview` as bars. */
import type { Output } from '../../api/client.ts'
import { counted } from '../../schema/value.ts'

export type Points = NonNullable<Output<'metrics.overview'>['points']>

export interface TrafficBar {
  readonly time: string
  /** Of the highest bar, 0 to 1. */
  readonly height: number
  /** What the bar is made of, from below. Those without requests are left out, unless there are none at all. */
  readonly parts: readonly {
    readonly label: string
    readonly tone: 'ok' | 'warn' | 'bad'
    readonly count: number
    /** Of the bar, 0 to 1. */
    readonly share: number
  }[]
}

export function barsOf({ items }: Points): readonly TrafficBar[] {
  const most = Math.max(1, ...items.map(({ requests }) => requests))
  return items.map(({ time, requests, client_errors: refused, server_errors: failed }) => ({
    time,
    height: requests / most,
    parts: [
      { label: 'answered', tone: 'ok' as const, count: requests - refused - failed },
      { label: 'refused', tone: 'warn' as const, count: refused },
      { label: 'failed', tone: 'bad' as const, count: failed },
    ]
      .filter(({ count, tone }) => count > 0 || (tone === 'ok' && requests === 0))
      .map((part) => ({ ...part, share: requests === 0 ? 0 : part.count / requests })),
  }))
}

/** The bars in a sentence, for people who hear them. */
export function trafficSummary({ items, bucket }: Points): string {
  const sum = (value: (item: Points['items'][number]) => number): number =>
    items.reduce((all, item) => all + value(item), 0)
  return (
    `Traffic, ${counted(items.length, 'bar')} of ${bucket}: ${counted(
      sum(({ requests }) => requests),
      'request',
    )}, ` +
    `${sum((item) => item.client_errors)} refused with 4xx, ${sum((item) => item.server_errors)} failed with 5xx.`
  )
}
