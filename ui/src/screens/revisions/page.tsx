import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { GitCompare, RotateCcw } from 'lucide-react'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { operation } from '../../api/operations.ts'
import { faultOf } from '../../api/problem.ts'
import { useMay, useSession } from '../../api/session.ts'
import { Button, buttonClasses } from '../../kit/button.tsx'
import { Page } from '../../kit/page.tsx'
import { FaultBox, Forbidden, SkeletonRows } from '../../kit/states.tsx'
import { Time } from '../../kit/time.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import { surfaceOf } from '../audit/words.ts'
import { Compare } from './compare.tsx'
import { RollbackDialog } from './rollback.tsx'

/** One revision: who made it and why, what it changed, and the way back to it. */
export default function RevisionPage() {
  const { id = '' } = useParams({ strict: false })
  const may = useMay()
  const session = useSession()
  const [isRollingBack, setRollingBack] = useState(false)
  const row = operation('revisions.get')!
  const query = useQuery({
    queryKey: ['revisions.get', id],
    queryFn: async () => (await client.call('revisions.get', { id })).body,
    enabled: may('revisions.get'),
    retry: false,
  })
  const title = `Revision ${id}`
  const found = query.data
  const current = session?.instance.config_revision
  return (
    <Page
      name={title}
      title={title}
      lead={
        <Link to="/$resource" params={{ resource: 'revisions' }} className="underline">
          Revisions
        </Link>
      }
      actions={
        found !== undefined && (
          <>
            <Link
              to="/$resource"
              params={{ resource: 'revisions' }}
              search={{ from: id } as never}
              className={buttonClasses()}
            >
              <GitCompare size={16} aria-hidden="true" />
              Compare with another
            </Link>
            {may('revisions.rollback') && (current === undefined || Number(id) < current) && (
              <Button tone="danger" icon={RotateCcw} onClick={() => setRollingBack(true)}>
                Roll back to this revision
              </Button>
            )}
            <ShowAs request={{ operation: row, input: { id }, options: {} }} />
          </>
        )
      }
    >
      {!may('revisions.get') && <Forbidden permission={row.permission} />}
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {found === undefined && query.error === null && may('revisions.get') && <SkeletonRows rows={8} />}
      {found !== undefined && (
        <>
          <p className="text-md break-words">
            {found.actor.name} ran {found.operation} over {surfaceOf(found.surface)}{' '}
            <Time value={found.time} />
            {found.reason === null ? '.' : `: ${found.reason}`}
          </p>
          <p>
            <Link
              to="/$resource"
              params={{ resource: 'audit' }}
              search={{ config_revision: id } as never}
              className="text-accent underline"
            >
              Audit entries of this revision
            </Link>
          </p>
          {Number(id) > 1 && <Compare from={String(Number(id) - 1)} to={id} />}
        </>
      )}
      {isRollingBack && <RollbackDialog id={id} onClose={() => setRollingBack(false)} />}
    </Page>
  )
}
