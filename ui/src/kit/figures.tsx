import { deltaOf } from './delta.ts'

export interface Figure {
  readonly label: string
  /** Null if it is not known. */
  readonly value: number | null
  /** The same of the period before. */
  readonly before: number | null
  readonly unit: string
}

/** The few numbers that a page begins with, each with what has changed since the period before. */
export function Figures({ figures, isLoading }: { figures: readonly Figure[]; isLoading: boolean }) {
  return (
    <dl className="grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-flow-col lg:auto-cols-fr lg:grid-cols-none">
      {figures.map(({ label, value, before, unit }) => (
        <div key={label} className="rounded-md border border-line p-3">
          <dt className="text-sm text-muted">{label}</dt>
          <dd>
            <span className="text-xl font-semibold tabular-nums">
              {isLoading ? <span className="skeleton inline-block h-6 w-16" /> : shown(value)}
            </span>
            {value !== null && unit !== '' && <span className="ml-1 text-muted">{unit}</span>}
            <span className="block h-5 text-sm text-muted">{deltaOf(value, before) ?? ''}</span>
          </dd>
        </div>
      ))}
    </dl>
  )
}

function shown(value: number | null): string {
  return value === null ? '–' : value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : 0 })
}
