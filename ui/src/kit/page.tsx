import type { ReactNode } from 'react'
import { classes } from './classes.ts'

interface PageProps {
  readonly title: ReactNode
  /** Name of the page in the title of the browser. */
  readonly name: string
  readonly lead?: ReactNode
  readonly actions?: ReactNode
  readonly children: ReactNode
  /** The content takes the height of the window and scrolls by itself, as tables do. */
  readonly isFull?: boolean
}

/** A page: heading, actions and content. */
export function Page({ title, name, lead, actions, children, isFull = false }: PageProps) {
  return (
    <div className={classes('flex min-w-0 flex-col gap-4 p-4 md:p-6', isFull && 'h-full min-h-0')}>
      <title>{`${name} · Postern`}</title>
      <header className="flex shrink-0 flex-wrap items-start justify-between gap-3">
        <div className="min-w-0">
          <h1 className="flex flex-wrap items-center gap-2 text-lg font-semibold wrap-anywhere">{title}</h1>
          {lead !== undefined && <div className="text-muted">{lead}</div>}
        </div>
        {actions !== undefined && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </header>
      {children}
    </div>
  )
}

export function Card({
  title,
  children,
  actions,
  className,
  id,
}: {
  title?: ReactNode
  children: ReactNode
  actions?: ReactNode
  className?: string
  id?: string
}) {
  return (
    <section id={id} className={classes('rounded-md border border-line bg-page', className)}>
      {title !== undefined && (
        <header className="flex flex-wrap items-center justify-between gap-2 border-b border-line px-3 py-2">
          <h2 className="font-semibold">{title}</h2>
          {actions}
        </header>
      )}
      <div className="p-3">{children}</div>
    </section>
  )
}
