import { Link } from '@tanstack/react-router'
import { classes } from '../../kit/style.ts'
import { barsOf, type Points, trafficSummary } from './traffic.ts'

/** Requests of the period as bars, with those that were refused or failed. */
export function Traffic({ points, isLoading }: { points: Points | null; isLoading: boolean }) {
  if (isLoading) return <div aria-hidden="true" className="skeleton h-16" />
  if (points === null || points.items.length === 0) return null
  const bars = barsOf(points)
  return (
    <figure className="flex flex-col gap-1">
      <div role="img" aria-label={trafficSummary(points)} className="flex h-12 items-end gap-px">
        {bars.map(({ time, height, parts }) => (
          <span
            key={time}
            title={`${time.slice(11, 16)} UTC: ${parts.map(({ count, label }) => `${count} ${label}`).join(', ')}`}
            className="flex h-full flex-1 flex-col justify-end"
          >
            <span
              style={{ height: `${height * 100}%` }}
              className={classes('flex flex-col-reverse', height === 0 && 'border-b border-line')}
            >
              {parts.map(({ label, tone, share }) => (
                <span key={label} style={{ height: `${share * 100}%` }} className={TONES[tone]} />
              ))}
            </span>
          </span>
        ))}
      </div>
      <figcaption className="flex flex-wrap gap-x-4 text-sm text-muted">
        <span>Each bar is {points.bucket}.</span>
        {LEGEND.map(({ tone, label }) => (
          <span key={label} className="inline-flex items-center gap-1">
            <span aria-hidden="true" className={classes('size-2 rounded-full', TONES[tone])} />
            {label}
          </span>
        ))}
        <Link to="/$resource" params={{ resource: 'analytics' }} className="underline">
          Analytics
        </Link>
      </figcaption>
    </figure>
  )
}

const TONES = { ok: 'bg-accent', warn: 'bg-warn', bad: 'bg-bad' } as const
const LEGEND = [
  { tone: 'ok', label: 'answered' },
  { tone: 'warn', label: 'refused (4xx)' },
  { tone: 'bad', label: 'failed (5xx)' },
] as const
