import { Link } from '@tanstack/react-router'
import { FileCog } from 'lucide-react'
import { useMay } from '../../api/session.ts'

/** Says which documents manage the resource: here it is read-only. */
export function Managed({ set }: { set: string }) {
  const may = useMay()
  return (
    <div role="note" className="flex items-start gap-2 rounded-md border border-line bg-raised px-3 py-2">
      <FileCog size={16} aria-hidden="true" className="mt-0.5 shrink-0 text-muted" />
      <p className="min-w-0 break-words">
        <span className="font-semibold">Managed by a file.</span> The set of documents <code>{set}</code>{' '}
        manages this. It is read-only here. Change the documents, then{' '}
        {may('config.plan') ? (
          <Link
            to="/run/$operation"
            params={{ operation: 'config.plan' }}
            search={{ managed_by: set } as never}
            className="text-accent underline"
          >
            apply them
          </Link>
        ) : (
          'apply them'
        )}
        .
      </p>
    </div>
  )
}
