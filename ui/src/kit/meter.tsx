import { classes } from './classes.ts'

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
