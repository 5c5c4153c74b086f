import { Link } from '@tanstack/react-router'
import { useSession } from '../../api/client.ts'
import { Card } from '../../kit/page.tsx'
import { Time } from '../../kit/text.tsx'
import { Decide } from './decide.tsx'
import { RequestPage, Terms } from './request-page.tsx'
import { type AccessRequest, accessSentence } from './words.ts'

/** One access request: which client wants to call which collections, why, and the decision. */
export default function AccessRequestPage() {
  const session = useSession()
  return (
    <RequestPage<AccessRequest> resource="access_requests" name="Access request">
      {(request) => (
        <>
          <p className="text-md break-words">{accessSentence(request)}</p>
          <div className="grid items-start gap-4 grid-cols-1 lg:grid-cols-[minmax(0,1fr)_380px]">
            <Card title="Request">
              <Terms
                terms={[
                  [
                    'Client',
                    <Link
                      key="c"
                      to="/$resource/$id"
                      params={{ resource: 'clients', id: request.client }}
                      className="underline"
                    >
                      {request.client}
                    </Link>,
                  ],
                  [
                    'Collections',
                    <span key="s" className="flex flex-wrap gap-2">
                      {request.collections.map((slug) => (
                        <Link
                          key={slug}
                          to="/$resource/$id"
                          params={{ resource: 'collections', id: slug }}
                          className="underline"
                        >
                          {slug}
                        </Link>
                      ))}
                    </span>,
                  ],
                  ['Message', request.message],
                  ['Requester', request.requester],
                  ['Asked', <Time key="a" value={request.created_at} />],
                  ['Expires', request.state === 'open' ? <Time key="e" value={request.expires_at} /> : null],
                  ['Decided by', request.decided_by],
                  [
                    'Decided',
                    request.decided_at === null ? null : <Time key="d" value={request.decided_at} />,
                  ],
                  ['Reason of the decision', request.reason],
                ]}
              />
            </Card>
            {request.state === 'open' && (
              <Decide
                resource="access_requests"
                id={request.id}
                isOwn={session?.name === request.requester}
                canApprove
              />
            )}
          </div>
        </>
      )}
    </RequestPage>
  )
}
