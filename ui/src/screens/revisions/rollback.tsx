import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect } from 'react'
import { client, type Output } from '../../api/client.ts'
import { operation } from '../../api/operations.ts'
import { faultOf } from '../../api/problem.ts'
import { Review } from '../../forms/operation-form.tsx'
import { sayStored } from '../../forms/say-stored.ts'
import { useWrite } from '../../forms/use-write.ts'
import { WaitsFor } from '../../forms/waits-for.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { FaultBox, SkeletonRows } from '../../kit/states.tsx'
import { Status } from '../../kit/status.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'

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
      <p>The rollback makes a new revision. Secrets and tokens keep their current state.</p>
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
