import type { ReactNode } from 'react'
import { classes } from '../kit/classes.ts'

interface FormBarProps {
  /** At the left: what is no button of the form. */
  readonly aside: ReactNode
  /** The bar stays in view while the page scrolls, so that a long form can be sent from everywhere. */
  readonly isSticky?: boolean
  readonly children: ReactNode
}

/** The buttons of a form. */
export function FormBar({ aside, isSticky = false, children }: FormBarProps) {
  return (
    <div
      className={classes(
        'flex flex-wrap items-center justify-between gap-2',
        isSticky && 'sticky bottom-0 z-10 border-t border-line bg-page py-3',
      )}
    >
      <span className="flex items-center gap-2">{aside}</span>
      <div className="flex flex-wrap gap-2">{children}</div>
    </div>
  )
}
