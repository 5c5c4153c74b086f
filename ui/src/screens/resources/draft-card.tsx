import { useQuery } from '@tanstack/react-query'
import { client, type Input, type OperationName } from '../../api/client.ts'
import { operation } from '../../api/operations.ts'
import { faultOf } from '../../api/problem.ts'
import { useMay } from '../../api/session.ts'
import { Diff } from '../../kit/diff.tsx'
import { Card } from '../../kit/page.tsx'
import { FaultBox, SkeletonRows } from '../../kit/states.tsx'
import { Badge } from '../../kit/status.tsx'

/** The pending draft of a published resource: what publishing it would change, as the server computes it. */
export function DraftCard({ resource, id }: { resource: string; id: string }) {
  const may = useMay()
  const publish = `${resource}.publish`
  const isAsked = operation(publish) !== null && may(publish)
  const query = useQuery({
    queryKey: [publish, 'dry_run', id],
    queryFn: async () => {
      const input = { id, status: 'published' } as unknown as Input<OperationName>
      return (await client.call(publish as OperationName, input, { dryRun: true })).diff
    },
    enabled: isAsked,
  })
  return (
    <Card
      title={
        <span className="inline-flex items-center gap-2">
          Draft <Badge tone="dashed">not live</Badge>
        </span>
      }
    >
      {!isAsked && <p>A draft waits to be published. You may not publish it.</p>}
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {isAsked && query.isPending && <SkeletonRows rows={3} />}
      {query.data != null && (
        <div className="flex flex-col gap-2">
          <p className="text-muted">Callers get the live version. Publishing changes:</p>
          <Diff entries={query.data} />
        </div>
      )}
    </Card>
  )
}
