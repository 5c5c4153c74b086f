import { type ReactNode, useId, useState } from 'react'
import type { DiffEntry, WriteOptions } from '../../api/client.ts'
import type { Fault } from '../../api/problem.ts'
import { useMay, useSession } from '../../api/session.ts'
import { Button } from '../../kit/button.tsx'
import { Checkbox, Labeled, TextInput } from '../../kit/inputs.tsx'
import { Card } from '../../kit/page.tsx'
import { FaultBox } from '../../kit/states.tsx'
import { Status } from '../../kit/status.tsx'
import { type Plan, planSentence } from './documents.ts'
import { ChangedItems } from './items.tsx'

interface PlanViewProps {
  readonly plan: Plan
  readonly fault: Fault | null
  readonly isBusy: boolean
  readonly showAs: (members: object) => ReactNode
  readonly onBack: () => void
  readonly onApply: (members: { plan_id: string; allow_deletes?: number }, options: WriteOptions) => void
}

/** A plan: what would be added, changed and removed, and the step that applies exactly this plan. */
export function PlanView({ plan, fault, isBusy, showAs, onBack, onApply }: PlanViewProps) {
  const may = useMay()
  const instance = useSession()?.instance
  const reasonId = useId()
  const wordId = useId()
  const [reason, setReason] = useState('')
  const [word, setWord] = useState('')
  const [isRemoving, setRemoving] = useState(false)
  const asked = instance?.production === true ? instance.environment : null
  const members = { plan_id: plan.plan_id, ...(plan.remove > 0 && { allow_deletes: plan.remove }) }
  return (
    <form
      className="flex max-w-260 flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        onApply(members, reason === '' ? {} : { reason })
      }}
    >
      <p role="status" className="text-md">
        {planSentence(plan)}
      </p>
      <ChangedItems
        items={plan.items.map(({ item, action, diff, side, managed_by }) => ({
          item,
          action,
          diff: diff as readonly DiffEntry[],
          note: [
            managed_by !== null && managed_by !== plan.managed_by && `managed by ${managed_by}`,
            side === 'instance' && 'changed here since the last time',
            side === 'both' && 'changed here and in the documents',
          ]
            .filter((part) => part !== false)
            .join(', '),
        }))}
      />
      {plan.drift.length > 0 && (
        <Card title="Changed here since the documents were applied">
          <ChangedItems
            items={plan.drift.map(({ item, diff }) => ({
              item,
              action: 'changed',
              diff: diff as readonly DiffEntry[],
            }))}
          />
        </Card>
      )}
      {plan.warnings.length > 0 && (
        <Card title="Read differently from the documents">
          <ul className="flex flex-col gap-1">
            {plan.warnings.map(({ pointer, reason: why }) => (
              <li key={pointer + why} className="break-words">
                <Status state="warn">Warning</Status> <code className="break-all">{pointer}</code> {why}
              </li>
            ))}
          </ul>
        </Card>
      )}
      {fault !== null && <FaultBox fault={fault} />}
      {plan.items.length > 0 && may('config.apply') && (
        <Card title="Apply">
          <div className="flex flex-col gap-3">
            <Labeled id={reasonId} label="Reason" hint="Stored in the audit entries">
              <TextInput
                id={reasonId}
                aria-describedby={`${reasonId}-hint`}
                maxLength={2000}
                value={reason}
                onChange={(event) => setReason(event.target.value)}
              />
            </Labeled>
            {plan.remove > 0 && (
              <Checkbox
                label={`Remove ${plan.remove} ${plan.remove === 1 ? 'resource' : 'resources'}`}
                hint="Their secrets are removed too."
                checked={isRemoving}
                onChange={(event) => setRemoving(event.target.checked)}
              />
            )}
            {asked !== null && (
              <Labeled
                id={wordId}
                label={`Type ${asked} to confirm`}
                hint="This is a production environment."
              >
                <TextInput
                  id={wordId}
                  value={word}
                  className="font-mono"
                  onChange={(event) => setWord(event.target.value)}
                />
              </Labeled>
            )}
          </div>
        </Card>
      )}
      <div className="flex flex-wrap items-center justify-between gap-2">
        {showAs(members)}
        <div className="flex gap-2">
          <Button onClick={onBack}>Back</Button>
          {plan.items.length > 0 && may('config.apply') && (
            <Button
              type="submit"
              tone={plan.remove > 0 ? 'danger' : 'primary'}
              isBusy={isBusy}
              disabled={(plan.remove > 0 && !isRemoving) || (asked !== null && word !== asked)}
            >
              Apply
            </Button>
          )}
        </div>
      </div>
    </form>
  )
}
