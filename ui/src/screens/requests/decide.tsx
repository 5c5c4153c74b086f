import { useQueryClient } from '@tanstack/react-query'
import { Check, X } from 'lucide-react'
import { useId, useState } from 'react'
import {
  client,
  type DiffEntry,
  type Fault,
  faultOf,
  type Input,
  type OperationName,
  operation,
  refreshPage,
  useMay,
  type WaitingChange,
  waitingChange,
} from '../../api/client.ts'
import { sayStored, WaitsFor } from '../../forms/write.tsx'
import { Button, Labeled, TextInput } from '../../kit/controls.tsx'
import { Diff } from '../../kit/diff.tsx'
import { Card, FaultBox } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'

interface DecideProps {
  readonly resource: 'change_requests' | 'access_requests'
  readonly id: string
  /** The person asked for it: they may withdraw it, and the server lets nobody approve their own change. */
  readonly isOwn: boolean
  /** A change request that has approval can still be rejected. */
  readonly canApprove: boolean
}

type Verb = 'approve' | 'reject'

/** A decision with its reason. The server judges it first (dry run) and shows what it changes; then it is sent. */
export function Decide({ resource, id, isOwn, canApprove }: DecideProps) {
  const may = useMay()
  const queries = useQueryClient()
  const reasonId = useId()
  const [reason, setReason] = useState('')
  const [judged, setJudged] = useState<{ verb: Verb; diff: readonly DiffEntry[] } | null>(null)
  const [busy, setBusy] = useState<Verb | null>(null)
  const [fault, setFault] = useState<Fault | null>(null)
  const [waiting, setWaiting] = useState<WaitingChange | null>(null)
  const nameOf = (verb: Verb) => `${resource}.${verb}` as OperationName
  const wordOf = (verb: Verb): string => (verb === 'approve' ? 'Approve' : isOwn ? 'Withdraw' : 'Reject')
  const send = async (verb: Verb, dryRun: boolean): Promise<void> => {
    setBusy(verb)
    setFault(null)
    try {
      const options = { ...(reason !== '' && { reason }), ...(dryRun && { dryRun }) }
      const { body, diff } = await client.call(nameOf(verb), { id } as Input<OperationName>, options)
      if (dryRun) setJudged({ verb, diff: diff ?? [] })
      else {
        setJudged(null)
        sayStored(body, `Done: ${wordOf(verb).toLowerCase()}`)
        await refreshPage(queries)
      }
    } catch (error) {
      const request = waitingChange(error)
      setJudged(null)
      if (request === null) setFault(faultOf(error))
      else setWaiting(request)
    } finally {
      setBusy(null)
    }
  }
  if (waiting !== null) return <WaitsFor change={waiting} />
  // Everybody may call reject, to withdraw what they asked for
  const verbs = (['approve', 'reject'] as const).filter((verb) =>
    verb === 'approve' ? canApprove && may(nameOf('approve')) : isOwn || may(nameOf('approve')),
  )
  if (verbs.length === 0) return null
  return (
    <Card title="Decision">
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          if (judged !== null) void send(judged.verb, false)
        }}
      >
        {isOwn && resource === 'change_requests' && (
          <p>
            <Status state="off">Your own request</Status> Another person has to approve it. You can withdraw
            it.
          </p>
        )}
        <Labeled
          id={reasonId}
          label="Reason"
          hint={
            isOwn
              ? 'Stored in the audit entry'
              : 'Stored in the audit entry and shown to the requester. A rejection needs it.'
          }
        >
          <TextInput
            id={reasonId}
            aria-describedby={`${reasonId}-hint`}
            value={reason}
            maxLength={2000}
            disabled={judged !== null}
            onChange={(event) => setReason(event.target.value)}
          />
        </Labeled>
        {fault !== null && <FaultBox fault={fault} />}
        {judged !== null && (
          <section aria-label="Effect of the decision" className="flex flex-col gap-2">
            <h3 className="font-medium">Effect of the decision</h3>
            <Diff entries={judged.diff} />
          </section>
        )}
        <div className="flex flex-wrap items-center justify-between gap-2">
          <ShowAs
            request={{
              operation: operation(nameOf(judged?.verb ?? verbs[0]!))!,
              input: { id },
              options: reason === '' ? {} : { reason },
            }}
          />
          {judged === null ? (
            <div className="flex gap-2">
              {verbs.map((verb) => (
                <Button
                  key={verb}
                  icon={verb === 'approve' ? Check : X}
                  tone={verb === 'approve' ? 'primary' : 'danger'}
                  disabled={busy !== null || (verb === 'reject' && !isOwn && reason.trim() === '')}
                  isBusy={busy === verb}
                  onClick={() => void send(verb, true)}
                >
                  {wordOf(verb)}
                </Button>
              ))}
            </div>
          ) : (
            <div className="flex gap-2">
              <Button onClick={() => setJudged(null)}>Back</Button>
              <Button type="submit" tone="primary" isBusy={busy !== null} autoFocus>
                Confirm: {wordOf(judged.verb).toLowerCase()}
              </Button>
            </div>
          )}
        </div>
      </form>
    </Card>
  )
}
