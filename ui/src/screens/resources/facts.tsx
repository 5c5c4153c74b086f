import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { Json } from '../../../build/document.ts'
import { Status } from '../../kit/status.tsx'
import { Time } from '../../kit/time.tsx'

/** Facts about a resource: terms with what is so. A fact that is null is left out. */
export function Facts({ facts }: { facts: readonly (readonly [term: string, fact: ReactNode])[] }) {
  return (
    <dl className="grid grid-cols-1 gap-x-4 gap-y-2 sm:grid-cols-[160px_minmax(0,1fr)]">
      {facts
        .filter(([, fact]) => fact !== null)
        .map(([term, fact]) => (
          <div key={term} className="contents">
            <dt className="text-muted">{term}</dt>
            <dd className="min-w-0 break-words max-sm:mb-2">{fact}</dd>
          </div>
        ))}
    </dl>
  )
}

/** The way to the page of a resource. */
export function ResourceLink({
  resource,
  id,
  children,
}: {
  resource: string
  id: string
  children?: ReactNode
}) {
  return (
    <Link to="/$resource/$id" params={{ resource, id }} className="underline">
      {children ?? id}
    </Link>
  )
}

/** Whether calls of a caller, such as a host or a service identity, are accepted. @param active as the caller has it */
export function ActiveState({ active }: { active: Json | undefined }) {
  return active === false ? (
    <Status state="off">Inactive: its calls are refused</Status>
  ) : (
    <Status state="ok">Active</Status>
  )
}

/** The newest call of a caller, as a link to its record. @param call undefined: there is none */
export function LastCall({
  call,
}: {
  call: { readonly id: string; readonly time: string; readonly status: number } | undefined
}) {
  if (call === undefined) return 'None on record'
  return (
    <ResourceLink resource="records" id={call.id}>
      <Time value={call.time} />, answered {call.status}
    </ResourceLink>
  )
}
