import { useEffect, useRef } from 'react'
import type { Fault } from '../api/problem.ts'
import { FaultBox } from '../kit/states.tsx'

/** The refusal of a form, brought into view and into focus: a form may be longer than the window. */
export function FormFault({ fault }: { fault: Fault | null }) {
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (fault === null) return
    box.current?.scrollIntoView({ block: 'center' })
    box.current?.focus({ preventScroll: true })
  }, [fault])
  if (fault === null) return null
  return (
    <div ref={box} tabIndex={-1}>
      <FaultBox fault={fault} />
    </div>
  )
}
