/** The frame of a page, and what stands in it while it loads, is empty, is refused or has failed. */
import { Link } from '@tanstack/react-router'
import { CircleSlash, ExternalLink, Inbox, type LucideIcon, OctagonAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import type { Fault } from '../api/client.ts'
import { Button } from './controls.tsx'
import { classes } from './style.ts'
import { CopyButton } from './text.tsx'

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
      <header data-page-head="" className="flex shrink-0 flex-wrap items-start justify-between gap-3">
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

interface EmptyProps {
  readonly title: string
  readonly children?: ReactNode
  readonly action?: ReactNode
  readonly icon?: LucideIcon
}

/** What there is to say where there is nothing to show: what it is for, and the next step. */
export function Empty({ title, children, action, icon: Icon = Inbox }: EmptyProps) {
  return (
    <div className="flex flex-col items-center gap-2 px-4 py-12 text-center">
      <Icon size={24} aria-hidden="true" className="text-muted" />
      <h2 className="text-md font-semibold">{title}</h2>
      {children !== undefined && <div className="max-w-[60ch] text-muted">{children}</div>}
      {action !== undefined && <div className="mt-2 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  )
}

/** A refusal or a failure: what happened, how to find it in the log, and a way to try again. */
export function FaultBox({ fault, retry }: { fault: Fault; retry?: () => void }) {
  return (
    <div role="alert" className="flex flex-col gap-1 rounded-md border border-bad bg-bad-soft px-3 py-2">
      <div className="flex items-start gap-2">
        <OctagonAlert size={16} aria-hidden="true" className="mt-0.5 shrink-0 text-bad" />
        <div className="min-w-0">
          <p className="font-semibold">{fault.title}</p>
          <p className="break-words">{fault.detail}</p>
          {fault.fields.length > 0 && (
            <ul className="mt-1 list-disc pl-4">
              {fault.fields.map(({ pointer, reason }) => (
                <li key={pointer + reason}>
                  <code>{pointer === '' ? '/' : pointer}</code> {reason}
                </li>
              ))}
            </ul>
          )}
        </div>
      </div>
      <div className="flex flex-wrap items-center gap-3 pl-6 text-sm text-muted">
        {fault.code !== null && (
          <span>
            Code <ProblemCode code={fault.code} />
          </span>
        )}
        {fault.requestId !== null && (
          <span className="inline-flex min-w-0 flex-wrap items-center gap-1">
            Request <code className="break-all">{fault.requestId}</code>
            <CopyButton text={fault.requestId} label="Copy the request id" />
          </span>
        )}
        {retry !== undefined && (
          <Button isSmall onClick={retry}>
            Try again
          </Button>
        )}
      </div>
    </div>
  )
}

/** The page may not be seen, or the action not be taken. @param to what may not be done, such as `create this` */
export function Forbidden({ permission, to = 'see this' }: { permission: string; to?: string }) {
  return (
    <Empty
      title={`You may not ${to}`}
      icon={CircleSlash}
      action={
        <Link to="/" className="text-accent underline">
          Go to Home
        </Link>
      }
    >
      Your grants do not include the permission <code>{permission}</code>. An administrator can grant it under
      People.
    </Empty>
  )
}

/** Lines of the final height, while rows load. */
export function SkeletonRows({ rows = 8, height = 32 }: { rows?: number; height?: number }) {
  return (
    <div aria-hidden="true" className="flex flex-col">
      {Array.from({ length: rows }, (_, index) => (
        <div key={index} style={{ height }} className="flex items-center px-3">
          <div className="skeleton h-3 w-full" />
        </div>
      ))}
    </div>
  )
}

/**
 * The code of a problem, as a link to its page. In another tab, unless the page around it is only read: what somebody has typed
 * into a form or a dialog stays.
 */
export function ProblemCode({ code, isRead = false }: { code: string; isRead?: boolean }) {
  return (
    <Link
      to="/$resource/$id"
      params={{ resource: 'problems', id: code }}
      {...(!isRead && { target: '_blank', rel: 'noopener' })}
      className="inline-flex min-h-6 items-center underline"
    >
      <code>{code}</code>
      {!isRead && (
        <>
          <ExternalLink size={12} aria-hidden="true" className="ml-1" />
          <span className="sr-only"> (opens another tab)</span>
        </>
      )}
    </Link>
  )
}
