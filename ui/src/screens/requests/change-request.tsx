import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { client, type DiffEntry, type Fault, faultOf, operation, useSession } from '../../api/client.ts'
import { singularOf } from '../../app/navigation.ts'
import { Button } from '../../kit/controls.tsx'
import { Diff } from '../../kit/diff.tsx'
import { Card, FaultBox } from '../../kit/page.tsx'
import { Badge } from '../../kit/status.tsx'
import { Time } from '../../kit/text.tsx'
import { Decide } from './decide.tsx'
import { RequestPage, Terms } from './request-page.tsx'
import { type ChangeRequest, changeSentence, placeOf } from './words.ts'

/** Entries of one page of a long difference. */
const PAGE = 200

/** One change request: its difference, its reason, the rules that ask for approval, and the decision. */
export default function ChangeRequestPage() {
  return (
    <RequestPage<ChangeRequest> resource="change_requests" name="Change request">
      {(request) => <Shown request={request} />}
    </RequestPage>
  )
}

function Shown({ request }: { request: ChangeRequest }) {
  const session = useSession()
  const isOwn = session?.id === request.requester.id
  const isOpen = request.state === 'open'
  const place = placeOf(request)
  return (
    <>
      <p className="text-md break-words">{changeSentence(request)}</p>
      <div className="grid items-start gap-4 grid-cols-1 lg:grid-cols-[minmax(0,1fr)_380px]">
        <Card title="What changes">
          <WholeDiff request={request} />
        </Card>
        <div className="flex min-w-0 flex-col gap-4">
          {(isOpen || request.state === 'approved') && (
            <Decide
              key={request.state}
              resource="change_requests"
              id={request.id}
              isOwn={isOwn}
              canApprove={isOpen && !isOwn}
            />
          )}
          <Card title="Request">
            <Terms
              terms={[
                ['Operation', <code key="o">{request.operation}</code>],
                [
                  'Resource',
                  place === null || operation(`${place.resource}.get`) === null ? null : (
                    <Link
                      key="p"
                      to="/$resource/$id"
                      params={{ resource: place.resource, id: request.resource.id ?? place.id }}
                      className="break-all underline"
                    >
                      {singularOf(place.resource)} {place.id}
                    </Link>
                  ),
                ],
                ['Requester', request.requester.name],
                ['Reason', request.reason ?? 'none given'],
                [
                  'Rules',
                  <span key="r" className="inline-flex flex-wrap gap-1">
                    {request.rules.map((rule) => (
                      <Badge key={rule}>{rule}</Badge>
                    ))}
                    <Link to="/settings" className="text-accent underline">
                      Approval rules
                    </Link>
                  </span>,
                ],
                ['Checked against revision', String(request.base_revision)],
                ['Asked', <Time key="c" value={request.created_at} />],
                ['Expires', isOpen ? <Time key="e" value={request.expires_at} /> : null],
                ['Decided by', request.decided_by?.name],
                ['Decided', request.decided_at === null ? null : <Time key="d" value={request.decided_at} />],
                ['Reason of the decision', request.decision_reason],
                [
                  'Revision',
                  request.config_revision === null ? null : (
                    <Link
                      to="/$resource/$id"
                      params={{ resource: 'revisions', id: String(request.config_revision) }}
                      className="underline"
                    >
                      {request.config_revision}
                    </Link>
                  ),
                ],
              ]}
            />
          </Card>
        </div>
      </div>
    </>
  )
}

/** The difference. A long one is fetched page by page when somebody asks for it. */
function WholeDiff({ request }: { request: ChangeRequest }) {
  const [entries, setEntries] = useState<readonly DiffEntry[] | null>(null)
  const [fault, setFault] = useState<Fault | null>(null)
  const [isBusy, setBusy] = useState(false)
  const shown = entries ?? (request.diff as readonly DiffEntry[])
  const left = request.diff_entries - shown.length
  const load = async (): Promise<void> => {
    setBusy(true)
    setFault(null)
    try {
      const all: DiffEntry[] = []
      let cursor: string | null | undefined
      do {
        const asked = { id: request.id, limit: PAGE, ...(cursor != null && { cursor }) }
        const { body } = await client.call('change_requests.diff', asked)
        all.push(...(body.items as unknown as DiffEntry[]))
        cursor = body.next_cursor
      } while (cursor != null)
      setEntries(all)
    } catch (error) {
      setFault(faultOf(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <div className="flex flex-col items-stretch gap-3">
      <Diff entries={shown} />
      {fault !== null && <FaultBox fault={fault} />}
      {left > 0 && entries === null && (
        <Button isBusy={isBusy} onClick={() => void load()}>
          Show all {request.diff_entries} entries
        </Button>
      )}
    </div>
  )
}
