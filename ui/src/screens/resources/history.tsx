import { useQuery } from '@tanstack/react-query'
import { client } from '../../api/client.ts'
import { faultOf } from '../../api/problem.ts'
import { Empty, FaultBox, SkeletonRows } from '../../kit/states.tsx'
import { Badge } from '../../kit/status.tsx'
import { Time } from '../../kit/time.tsx'

const SHOWN = 50

/** Changes of a resource, from the audit log. */
export function History({ resource, id }: { resource: string; id: string }) {
  const query = useQuery({
    queryKey: ['audit.list', resource, id],
    queryFn: async () => (await client.call('audit.list', { resource: id, limit: SHOWN })).body,
  })
  if (query.error !== null)
    return <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />
  if (query.data === undefined) return <SkeletonRows rows={4} height={48} />
  const { items } = query.data
  if (items.length === 0)
    return (
      <Empty title="No entries">
        The audit log has no entry about this resource in the time that it keeps.
      </Empty>
    )
  return (
    <ol className="flex flex-col rounded-md border border-line">
      {items.map((entry) => (
        <li
          key={entry.id}
          className="flex flex-wrap items-baseline gap-x-3 gap-y-1 border-b border-line px-3 py-2 last:border-0"
        >
          <Badge>{entry.action}</Badge>
          <span>{entry.actor.name}</span>
          <span className="text-muted">{entry.surface}</span>
          <span className="ml-auto text-muted">
            <Time value={entry.time} />
          </span>
        </li>
      ))}
    </ol>
  )
}
