import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { ExternalLink, HelpCircle, RotateCcw, X } from 'lucide-react'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { operation } from '../../api/operations.ts'
import { faultOf } from '../../api/problem.ts'
import { useMay } from '../../api/session.ts'
import { Button, buttonClasses } from '../../kit/button.tsx'
import { FaultBox, SkeletonRows } from '../../kit/states.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import { CallStatus } from './columns.tsx'
import { Facts } from './facts.tsx'
import { ReplayDialog } from './replay.tsx'
import { isRefusal, sentenceOf } from './sentence.ts'
import { Waterfall } from './waterfall.tsx'

interface RecordPaneProps {
  readonly id: string
  /** Null: the record is a page of its own. */
  readonly onClose: (() => void) | null
  readonly closeLabel?: string
  /** Narrows the list of records. */
  readonly onFilter: (filter: Readonly<Record<string, string>>) => void
}

/** One call: what became of it in a sentence, where its time went, and what its record has. */
export function RecordPane({ id, onClose, closeLabel = 'Close', onFilter }: RecordPaneProps) {
  const may = useMay()
  const [isReplaying, setReplaying] = useState(false)
  const query = useQuery({
    queryKey: ['records.get', id],
    queryFn: async () => (await client.call('records.get', { id })).body,
    // A record never changes
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  })
  const close = onClose !== null && (
    <Button isSmall icon={X} onClick={onClose}>
      {closeLabel}
    </Button>
  )
  if (query.error !== null)
    return (
      <div className="flex flex-col items-start gap-3">
        {close}
        <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />
      </div>
    )
  const record = query.data
  if (record === undefined)
    return (
      <div className="flex flex-col items-start gap-3">
        {close}
        <SkeletonRows rows={10} />
      </div>
    )
  const canReplay = may('requests.replay') && record.proxy !== null && record.client !== null
  return (
    <article className="flex min-w-0 flex-col gap-5">
      <header className="flex flex-col gap-2">
        <div className="flex flex-wrap items-center justify-between gap-2">
          <CallStatus {...record} />
          <div className="flex flex-wrap gap-2">
            {onClose !== null && (
              <Link
                to="/$resource/$id"
                params={{ resource: 'records', id }}
                className={buttonClasses('quiet', true)}
              >
                <ExternalLink size={16} aria-hidden="true" />
                Page
              </Link>
            )}
            {close}
          </div>
        </div>
        <h2 className="text-md font-semibold break-words">{sentenceOf(record)}</h2>
        <div className="flex flex-wrap gap-2">
          {may('requests.explain') && (
            <Link
              to="/run/$operation"
              params={{ operation: 'requests.explain' }}
              search={{ request_id: id } as never}
              className={buttonClasses(isRefusal(record) ? 'primary' : 'plain')}
            >
              <HelpCircle size={16} aria-hidden="true" />
              {isRefusal(record) ? 'Why denied' : 'Explain'}
            </Link>
          )}
          {canReplay && (
            <Button icon={RotateCcw} onClick={() => setReplaying(true)}>
              Replay
            </Button>
          )}
          <ShowAs request={{ operation: operation('records.get')!, input: { id }, options: {} }} />
        </div>
      </header>
      <Waterfall record={record} />
      <Facts record={record} onFilter={onFilter} />
      {isReplaying && <ReplayDialog record={record} onClose={() => setReplaying(false)} />}
    </article>
  )
}
