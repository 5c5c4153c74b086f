import type { ReactNode } from 'react'
import { readingOf } from '../../schema/reading.ts'

/** An input with its value in words beside it, where that says more. */
export function WithReading({
  unit,
  value,
  children,
}: {
  unit: string | null
  value: unknown
  children: ReactNode
}) {
  const reading = readingOf(unit, value)
  return (
    <div className="flex items-center gap-2">
      {children}
      {reading !== null && <span className="text-sm whitespace-nowrap text-muted">{reading}</span>}
    </div>
  )
}
