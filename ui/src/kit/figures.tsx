import { type Before, deltaOf } from './chart-labels.ts'
import { classes } from './style.ts'

interface Figure {
  readonly label: string
  /** Null if it is not known. */
  readonly value: number | null
  /** The same of the period before. */
  readonly before: Before
  readonly unit: string
}

interface FiguresProps {
  readonly figures: readonly Figure[]
  readonly isLoading: boolean
  /** The period before is asked for: its line has a place from the start. */
  readonly isCompared?: boolean
}

/** The few numbers that a page begins with, each with what has changed since the period before. */
export function Figures({ figures, isLoading, isCompared = true }: FiguresProps) {
  return (
    <dl className="grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-flow-col lg:auto-cols-fr lg:grid-cols-none">
      {figures.map(({ label, value, before, unit }) => (
        <div key={label} className="rounded-md border border-line p-3">
          <dt className="text-sm text-muted">{label}</dt>
          <dd>
            <span className="text-xl font-semibold tabular-nums">
              {isLoading ? <span className="skeleton inline-block h-6 w-16" /> : shown(value, unit).text}
            </span>
            {value !== null && unit !== '' && (
              <span className="ml-1 text-muted">{shown(value, unit).unit}</span>
            )}
            {isCompared && (
              <span className="block min-h-5 text-sm text-muted">{deltaOf(value, before) ?? ''}</span>
            )}
          </dd>
        </div>
      ))}
    </dl>
  )
}

/** Milliseconds are read as seconds from 1,000 on. */
function shown(value: number | null, unit: string): { readonly text: string; readonly unit: string } {
  if (value === null) return { text: '–', unit }
  if (unit === 'ms' && value >= 1000)
    return { text: (value / 1000).toFixed(value < 10_000 ? 1 : 0), unit: 's' }
  return { text: value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : 0 }), unit }
}

const COLORS = { ok: 'bg-accent', warn: 'bg-warn', bad: 'bg-bad' } as const

interface MeterProps {
  /** What is measured, for people who hear it. */
  readonly label: string
  readonly value: number
  readonly max: number
  readonly tone?: keyof typeof COLORS
}

/** A bar that shows how much of something is used. */
export function Meter({ label, value, max, tone = 'ok' }: MeterProps) {
  const share = max > 0 ? Math.min(1, Math.max(0, value / max)) : 0
  return (
    <div
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={max}
      aria-valuenow={value}
      className="h-2 w-full overflow-hidden rounded-full bg-sunken"
    >
      <div
        style={{ width: `${(share * 100).toFixed(1)}%` }}
        className={classes('h-full rounded-full', COLORS[tone])}
      />
    </div>
  )
}
