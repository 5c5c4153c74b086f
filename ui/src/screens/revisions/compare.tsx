import { useQuery } from '@tanstack/react-query'
import { X } from 'lucide-react'
import { client, type DiffEntry, faultOf, type Input, operation } from '../../api/client.ts'
import { Button } from '../../kit/controls.tsx'
import { FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { counted } from '../../schema/value.ts'
import { ShowAs } from '../../show-as/show-as.tsx'
import { ChangedItems } from './items.tsx'

/** What differs between two revisions, resource by resource. `to` null: the current one. */
export function Compare({ from, to, onClose }: { from: string; to: string | null; onClose?: () => void }) {
  const input: Input<'revisions.diff'> = { from, ...(to !== null && { to }) }
  const query = useQuery({
    queryKey: ['revisions.diff', from, to],
    queryFn: async () => (await client.call('revisions.diff', input)).body,
    retry: false,
  })
  return (
    <section aria-label="Difference" className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-2">
        <h2 className="font-semibold">
          {to === null
            ? `From revision ${from} to the current one`
            : `From revision ${from} to revision ${to}`}
        </h2>
        <ShowAs request={{ operation: operation('revisions.diff')!, input, options: {} }} />
        {onClose !== undefined && (
          <Button isSmall icon={X} onClick={onClose}>
            Back to the timeline
          </Button>
        )}
      </div>
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.data === undefined && query.error === null && <SkeletonRows rows={6} />}
      {query.data !== undefined && (
        <>
          <ChangedItems
            items={query.data.items.map((one) => ({ ...one, diff: one.diff as readonly DiffEntry[] }))}
          />
          {query.data.more > 0 && <p>Not shown: {counted(query.data.more, 'further resource')}.</p>}
        </>
      )}
    </section>
  )
}
