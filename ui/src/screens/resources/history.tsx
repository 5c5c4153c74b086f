import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { client, type DiffEntry } from '../../api/client.ts'
import { faultOf } from '../../api/problem.ts'
import { useMay } from '../../api/session.ts'
import { Diff } from '../../kit/diff.tsx'
import { Moment } from '../../kit/moment.tsx'
import { Empty, FaultBox, SkeletonRows } from '../../kit/states.tsx'
import { Outcome } from '../audit/outcome.tsx'
import { type AuditEntry, interfaceOf } from '../audit/words.ts'

const SHOWN = 50

/** Changes of a resource from the audit log: who, over which interface, why, and the difference. */
export function History({ resource, id }: { resource: string; id: string }) {
  const query = useQuery({
    queryKey: ['audit.list', resource, id],
    queryFn: async () => (await client.call('audit.list', { resource: id, limit: SHOWN })).body,
  })
  if (query.error !== null)
    return <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />
  if (query.data === undefined) return <SkeletonRows rows={4} height={48} />
  const { items, next_cursor } = query.data
  if (items.length === 0)
    return (
      <Empty title="No entries">
        The audit log has no entry about this resource in the time that it keeps.
      </Empty>
    )
  return (
    <div className="flex flex-col gap-2">
      <ol aria-label="History" className="flex flex-col rounded-md border border-line">
        {items.map((entry) => (
          <li key={entry.id} className="flex flex-col gap-1 border-b border-line px-3 py-2 last:border-0">
            <Entry entry={entry} />
          </li>
        ))}
      </ol>
      <p className="text-sm text-muted">
        Times are in UTC.{' '}
        {next_cursor !== null && (
          <Link
            to="/$resource"
            params={{ resource: 'audit' }}
            search={{ resource: id } as never}
            className="underline"
          >
            All entries in the audit log
          </Link>
        )}
      </p>
    </div>
  )
}

function Entry({ entry }: { entry: AuditEntry }) {
  const may = useMay()
  const { id, time, actor, approver, operation, surface, outcome, reason, diff } = entry
  const count = diff.length
  return (
    <>
      <div className="flex flex-wrap items-baseline gap-x-3 gap-y-1">
        <Moment value={time} />
        {may('audit.get') ? (
          <Link to="/$resource/$id" params={{ resource: 'audit', id }} className="underline">
            <code>{operation}</code>
          </Link>
        ) : (
          <code>{operation}</code>
        )}
        <span>{actor.name}</span>
        <span className="text-muted">{interfaceOf(surface)}</span>
        {approver !== null && <span className="text-muted">approved by {approver.name}</span>}
        {outcome !== 'ok' && <Outcome outcome={outcome} />}
      </div>
      {reason !== null && <p className="break-words">{reason}</p>}
      {count > 0 && (
        <details>
          <summary className="text-sm text-muted">{count === 1 ? '1 change' : `${count} changes`}</summary>
          <div className="pt-2">
            <Diff entries={diff as readonly DiffEntry[]} />
          </div>
        </details>
      )}
    </>
  )
}
