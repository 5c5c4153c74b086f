import { Link } from '@tanstack/react-router'
import { Check, X } from 'lucide-react'
import { useState } from 'react'
import type { JsonObject } from '../../../build/document.ts'
import { faultOf, type Output, operation, useCall, useMay } from '../../api/client.ts'
import { ReviewWrite } from '../../forms/write.tsx'
import { Button, buttonClasses } from '../../kit/controls.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { Empty, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Badge, Status } from '../../kit/status.tsx'
import { HiddenNote, HiddenText } from '../../kit/text.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import type { PartProps } from '../hand-made.ts'
import { labelOfDrift } from './capability.ts'

const SHOWN = 100

type Drifted = Output<'virtual_mcps.list_drift'>['items'][number]

/** Items of origins that are not as they were approved: old beside new, each approved or rejected by itself. */
export default function DriftPart({ slug }: PartProps) {
  const may = useMay()
  const [deciding, setDeciding] = useState<{ decision: 'approve' | 'reject'; item: Drifted } | null>(null)
  const { data, error, refetch } = useCall('virtual_mcps.list_drift', { id: slug, limit: SHOWN })
  if (error !== null) return <FaultBox fault={faultOf(error)} retry={() => void refetch()} />
  if (data === undefined) return <SkeletonRows rows={8} />
  if (data.items.length === 0)
    return (
      <Empty
        title="No drift"
        action={
          <>
            <Link to="." search={{ tab: 'capabilities' } as never} className={buttonClasses()}>
              Capabilities
            </Link>
            <ShowAs
              request={{ operation: operation('virtual_mcps.list_drift')!, input: { id: slug }, options: {} }}
            />
          </>
        }
      >
        All items of the origins match their approved versions.
      </Empty>
    )
  return (
    <div className="flex flex-col gap-3">
      <p className="text-muted">
        Models read the descriptions. Invisible characters are marked.
        {data.next_cursor !== null &&
          ` The first ${SHOWN} items are shown. Approve or reject some to see the others.`}
      </p>
      <ul aria-label="Items that differ" className="flex flex-col gap-3">
        {data.items.map((item) => (
          <li
            key={`${item.origin} ${item.type} ${item.key} ${item.change}`}
            className="flex flex-col gap-3 rounded-md border border-line p-3"
          >
            <Head item={item} />
            <Differences item={item} />
            <span className="flex flex-wrap gap-2">
              {may('virtual_mcps.resolve_drift') &&
                (['approve', 'reject'] as const).map((decision) => (
                  <Button
                    key={decision}
                    isSmall
                    icon={decision === 'approve' ? Check : X}
                    onClick={() => setDeciding({ decision, item })}
                  >
                    {decision === 'approve' ? `Approve ${item.key}` : `Reject ${item.key}`}
                  </Button>
                ))}
            </span>
          </li>
        ))}
      </ul>
      {deciding !== null && (
        <Dialog
          title={`${deciding.decision === 'approve' ? 'Approve' : 'Reject'} ${deciding.item.key} of ${deciding.item.origin}`}
          onClose={() => setDeciding(null)}
          shape="wide"
        >
          <ReviewWrite
            row={operation('virtual_mcps.resolve_drift')!}
            input={{ id: slug, decision: deciding.decision, items: [choiceOf(deciding.item)] }}
            slug={slug}
            expectedRevision={undefined}
            done={deciding.decision === 'approve' ? 'Approved' : 'Rejected'}
            onBack={() => setDeciding(null)}
            onDone={() => setDeciding(null)}
          />
        </Dialog>
      )}
    </div>
  )
}

/** The item as it is shown here: the server refuses the decision if it has changed since. */
function choiceOf({ origin, type, key, hash }: Drifted): JsonObject {
  return { origin, type, key, ...(hash !== null && { hash }) }
}

function Head({ item }: { item: Drifted }) {
  const { origin, type, key, change, held, rejected } = item
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
      <code className="font-semibold break-all">
        <HiddenText text={key} />
      </code>
      <Status state={change === 'removed' ? 'off' : 'changed'}>{change}</Status>
      <span className="text-sm text-muted">
        {labelOfDrift(type)} of <code>{origin}</code>
      </span>
      {held && <Badge tone="dashed">hidden until approved</Badge>}
      {rejected && <Status state="blocked">rejected</Status>}
    </div>
  )
}

function Differences({ item: { diff } }: { item: Drifted }) {
  if (diff === null) return <p className="text-sm text-muted">The approved version is no longer stored.</p>
  return (
    <dl className="flex flex-col gap-2">
      {diff.map((entry) => {
        const { path } = entry
        return (
          <div key={path} className="flex flex-col gap-1">
            <dt>
              <code className="text-sm text-muted">{path === '' ? '/' : path}</code>
            </dt>
            <dd className="grid grid-cols-1 gap-2 lg:grid-cols-2">
              <Side label="Approved" value={entry['from']} tone="bg-bad-soft" />
              <Side label="Now" value={entry['value']} tone="bg-ok-soft" />
            </dd>
          </div>
        )
      })}
    </dl>
  )
}

function Side({ label, value, tone }: { label: string; value: unknown; tone: string }) {
  if (value === undefined) return <p className="px-2 py-1 text-sm text-muted">{label}: missing</p>
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2)
  return (
    <div className={`min-w-0 rounded-md px-2 py-1 ${tone}`}>
      <p className="text-sm text-muted">{label}</p>
      <p className="font-mono text-sm break-words whitespace-pre-wrap">
        <HiddenText text={text} />
      </p>
      <HiddenNote text={text} />
    </div>
  )
}
