import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { GitCompare, RotateCcw } from 'lucide-react'
import { useEffect, useState } from 'react'
import { client, faultOf, type Output, operation, useMay, useSession } from '../../api/client.ts'
import { Review, sayStored, useWrite, WaitsFor } from '../../forms/write.tsx'
import { Button, buttonClasses } from '../../kit/controls.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { FaultBox, Forbidden, Page, SkeletonRows } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { Time } from '../../kit/text.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import { surfaceOf } from '../audit/words.ts'
import { Compare } from './compare.tsx'

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

type RolledBack = Output<'revisions.rollback'>

/** Restores the state of an older revision, after its difference was shown. The newest revision is what the person has seen. */
export function RollbackDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const navigate = useNavigate()
  const row = operation('revisions.rollback')!
  const write = useWrite(row)
  const { state } = write
  const newest = useQuery({
    queryKey: ['revisions.list', 'newest'],
    queryFn: async () => (await client.call('revisions.list', { limit: 1 })).body.items[0]?.revision ?? null,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
  })
  const expected = newest.data ?? undefined
  useEffect(() => {
    if (expected !== undefined) write.review({ id }, { expectedRevision: expected }).catch(() => {})
  }, [expected])
  useEffect(() => {
    if (state.step !== 'done') return
    sayStored(state.answer.body, `Rolled back to revision ${id}`)
    navigate({ to: '/$resource', params: { resource: 'revisions' } }).catch(() => {})
  }, [state.step])
  const result = state.step === 'review' ? (state.result as unknown as RolledBack) : null
  return (
    <Dialog title={`Roll back to revision ${id}`} onClose={onClose} shape="wide">
      {newest.error !== null && <FaultBox fault={faultOf(newest.error)} />}
      {state.step === 'editing' && state.fault !== null && <FaultBox fault={state.fault} />}
      {(state.step === 'asking' || (state.step === 'editing' && state.fault === null)) && (
        <SkeletonRows rows={6} />
      )}
      {state.step === 'waiting' && <WaitsFor change={state.change} />}
      {(state.step === 'review' || state.step === 'conflict') && (
        <div className="flex flex-col gap-4">
          {result !== null && <Summary result={result} />}
          <Review
            row={row}
            state={state}
            confirmWith={id}
            isUndoable
            verb="Roll back"
            showAs={<ShowAs request={{ operation: row, input: { id }, options: { confirm: id } }} />}
            onBack={onClose}
            onConfirm={(options) =>
              write.confirm(
                { id },
                { ...options, ...(expected !== undefined && { expectedRevision: expected }) },
              )
            }
          />
        </div>
      )}
    </Dialog>
  )
}

function Summary({ result }: { result: RolledBack }) {
  const lists = [
    ['Restored', result.restored],
    ['Changed', result.changed],
    ['Removed', result.removed],
  ] as const
  return (
    <div className="flex flex-col gap-2">
      <p>The rollback creates a new revision. Secrets and tokens keep their current state.</p>
      {lists.map(
        ([label, items]) =>
          items.length > 0 && (
            <p key={label} className="break-all">
              <span className="font-medium">
                {label} ({items.length}):
              </span>{' '}
              {items.join(', ')}
            </p>
          ),
      )}
      {result.kept.map(({ item, reason }) => (
        <p key={item} className="break-words">
          <Status state="warn">Not restored</Status> {item}: {reason}
        </p>
      ))}
    </div>
  )
}
