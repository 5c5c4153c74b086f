import { Link } from '@tanstack/react-router'
import { useMay } from '../../api/client.ts'
import { buttonClasses } from '../../kit/controls.tsx'
import { Badge, Status, stateOf } from '../../kit/status.tsx'
import { Time } from '../../kit/text.tsx'
import { Inbox } from './inbox.tsx'
import { askedFor, type ChangeRequest } from './words.ts'

const STATES = ['open', 'approved', 'applied', 'rejected', 'expired']

export default function ChangeRequests() {
  const may = useMay()
  return (
    <Inbox<ChangeRequest>
      resource="change_requests"
      title="Change requests"
      states={STATES}
      emptyAction={
        may('settings.get') && (
          <Link to="/settings" className={buttonClasses()}>
            Approval rules
          </Link>
        )
      }
      emptyHint="If an approval rule applies to a change, the change appears here."
      columns={[
        { name: 'change', label: 'Change', render: askedFor },
        { name: 'requester', label: 'Requester', width: 150, render: ({ requester }) => requester.name },
        {
          name: 'rules',
          label: 'Rules',
          render: ({ rules }) => (
            <span className="inline-flex flex-wrap gap-1">
              {rules.map((rule) => (
                <Badge key={rule}>{rule}</Badge>
              ))}
            </span>
          ),
        },
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
        {
          name: 'expires',
          label: 'Expires',
          width: 130,
          render: ({ expires_at }) => <Time value={expires_at} />,
        },
      ]}
    />
  )
}
