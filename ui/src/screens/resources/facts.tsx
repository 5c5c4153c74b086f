import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'

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
