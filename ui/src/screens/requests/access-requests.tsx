import { Link } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useMay } from '../../api/client.ts'
import { buttonClasses } from '../../kit/controls.tsx'
import { Badge, Status, stateOf } from '../../kit/status.tsx'
import { Time } from '../../kit/text.tsx'
import { Inbox } from './inbox.tsx'
import type { AccessRequest } from './words.ts'

const STATES = ['open', 'applied', 'rejected', 'expired']

export default function AccessRequests() {
  const may = useMay()
  const create = may('access_requests.create') && (
    <Link to="/$resource/new" params={{ resource: 'access_requests' }} className={buttonClasses('primary')}>
      <Plus size={16} aria-hidden="true" />
      New access request
    </Link>
  )
  return (
    <Inbox<AccessRequest>
      resource="access_requests"
      title="Access requests"
      states={STATES}
      emptyHint="If a collection is requestable, people can request access to it for a client."
      actions={create}
      emptyAction={create}
      columns={[
        { name: 'client', label: 'Client', render: ({ client }) => client },
        {
          name: 'collections',
          label: 'Collections',
          render: ({ collections }) => (
            <span className="inline-flex flex-wrap gap-1">
              {collections.map((slug) => (
                <Badge key={slug}>{slug}</Badge>
              ))}
            </span>
          ),
        },
        { name: 'requester', label: 'Requester', width: 150, render: ({ requester }) => requester },
        { name: 'message', label: 'Message', render: ({ message }) => message },
        {
          name: 'state',
          label: 'State',
          width: 120,
          render: ({ state }) => <Status state={stateOf(state) ?? 'ok'}>{state}</Status>,
        },
        {
          name: 'created',
          label: 'Asked',
          width: 130,
          render: ({ created_at }) => <Time value={created_at} />,
        },
      ]}
    />
  )
}
