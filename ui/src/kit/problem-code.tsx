import { Link } from '@tanstack/react-router'
import { ExternalLink } from 'lucide-react'

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
