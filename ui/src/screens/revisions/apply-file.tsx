import { useQueryClient } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { FileUp } from 'lucide-react'
import { type ReactNode, useId, useState } from 'react'
import {
  client,
  type DiffEntry,
  type Fault,
  faultOf,
  type Input,
  type Output,
  operation,
  refreshPage,
  useMay,
  useSession,
  type WaitingChange,
  type WriteOptions,
  waitingChange,
} from '../../api/client.ts'
import { one } from '../../app/search.ts'
import { NOT_CONFIRMED, WaitsFor } from '../../forms/write.tsx'
import { Button, buttonClasses, Checkbox, Labeled, TextArea, TextInput } from '../../kit/controls.tsx'
import { useLeaveGuard } from '../../kit/leave-guard.ts'
import { Card, FaultBox, Forbidden, Page } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { classes } from '../../kit/style.ts'
import { ShowAs } from '../../show-as/show-as.tsx'
import { type DocumentFile, type Plan, planSentence, setNameOf, variablesOf } from './documents.ts'
import { ChangedItems } from './items.tsx'

const TITLE = 'Apply a configuration file'
/** Longer documents are not put into commands. Characters. */
const SHOWN_AS_MAX = 100_000

/** Documents in YAML or JSON: file, plan, apply. The plan shows each resource that would be added, changed or removed. */
export default function ApplyFile() {
  const may = useMay()
  if (may('config.plan')) return <Documents />
  return (
    <Page name={TITLE} title={TITLE}>
      <Forbidden permission={operation('config.plan')!.permission} />
    </Page>
  )
}

interface Planned {
  readonly input: Input<'config.plan'>
  readonly plan: Output<'config.plan'>
}

/** `pending`: not all gateway threads have confirmed the change. */
type Applied = Output<'config.apply'> & { readonly pending?: boolean }

function Documents() {
  const queries = useQueryClient()
  const id = useId()
  const [files, setFiles] = useState<readonly DocumentFile[]>([])
  const [pasted, setPasted] = useState('')
  const search = useSearch({ strict: false })
  const [firstManagedBy] = useState(one(search['managed_by']) ?? '')
  const [managedBy, setManagedBy] = useState(firstManagedBy)
  const [variables, setVariables] = useState('')
  const [prune, setPrune] = useState(false)
  const [takeOver, setTakeOver] = useState(false)
  const [planned, setPlanned] = useState<Planned | null>(null)
  const [applied, setApplied] = useState<Applied | null>(null)
  const [waiting, setWaiting] = useState<WaitingChange | null>(null)
  const [fault, setFault] = useState<Fault | null>(null)
  const [isBusy, setBusy] = useState(false)
  const isEdited =
    files.length > 0 ||
    [pasted, variables].some((text) => text.trim() !== '') ||
    managedBy !== firstManagedBy ||
    prune ||
    takeOver
  useLeaveGuard(isEdited && applied === null && waiting === null)
  const given = variablesOf(variables)
  const documents = [...files.map(({ text }) => text), ...(pasted.trim() === '' ? [] : [pasted])]
  const input: Input<'config.plan'> = {
    documents,
    ...(managedBy !== '' && { managed_by: managedBy }),
    ...(Object.keys(given.variables).length > 0 && { variables: given.variables }),
    ...(prune && { prune }),
    ...(takeOver && { take_over: takeOver }),
  }
  const run = async (work: () => Promise<void>): Promise<void> => {
    setBusy(true)
    setFault(null)
    try {
      await work()
    } catch (error) {
      const request = waitingChange(error)
      if (request === null) setFault(faultOf(error))
      else setWaiting(request)
    } finally {
      setBusy(false)
    }
  }
  const add = async (list: FileList | null): Promise<void> => {
    const read = await Promise.all(
      [...(list ?? [])].map(async (file) => ({ name: file.name, text: await file.text() })),
    )
    setFiles((before) => [...before, ...read])
    if (managedBy === '' && files.length === 0 && read[0] !== undefined) setManagedBy(setNameOf(read[0].name))
  }
  const size = documents.reduce((sum, text) => sum + text.length, 0)
  const showAs = (name: 'config.plan' | 'config.apply', members: object) =>
    size > SHOWN_AS_MAX ? (
      <span className="text-sm text-muted">
        <code>postern {operation(name)!.command}</code> takes files of this size
      </span>
    ) : (
      <ShowAs
        request={{ operation: operation(name)!, input: members as Record<string, unknown>, options: {} }}
      />
    )

  if (waiting !== null)
    return (
      <Page name={TITLE} title={TITLE}>
        <WaitsFor change={waiting} />
      </Page>
    )
  if (applied !== null)
    return (
      <Page name={TITLE} title={TITLE}>
        <p>
          {applied.pending === true ? (
            <Status state="pending" className="whitespace-normal">
              {NOT_CONFIRMED}
            </Status>
          ) : (
            <Status state="ok">Applied</Status>
          )}{' '}
          Added {applied.create}, changed {applied.update}, adopted {applied.adopt}, removed {applied.remove}.
          The configuration is at{' '}
          <Link
            to="/$resource/$id"
            params={{ resource: 'revisions', id: String(applied.config_revision) }}
            className="text-accent underline"
          >
            revision {applied.config_revision}
          </Link>
          .
        </p>
      </Page>
    )
  if (planned !== null)
    return (
      <Page name="Plan" title="Plan" lead={`Set of documents: ${planned.plan.managed_by}`}>
        <PlanView
          plan={planned.plan}
          fault={fault}
          isBusy={isBusy}
          showAs={(members) => showAs('config.apply', { ...planned.input, ...members })}
          onBack={() => {
            setFault(null)
            setPlanned(null)
          }}
          onApply={(members, options) =>
            void run(async () => {
              setApplied((await client.call('config.apply', { ...planned.input, ...members }, options)).body)
              await refreshPage(queries)
            })
          }
        />
      </Page>
    )
  return (
    <Page
      name={TITLE}
      title={TITLE}
      lead="Documents of kind, slug and spec, or OpenAPI descriptions with x-postern, in YAML or JSON. The plan changes nothing."
    >
      <form
        className="flex max-w-200 flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault()
          void run(async () => setPlanned({ input, plan: (await client.call('config.plan', input)).body }))
        }}
      >
        <Card title="Documents">
          <fieldset
            aria-label="Documents"
            className="flex flex-col gap-3"
            onDragOver={(event) => event.preventDefault()}
            onDrop={(event) => {
              event.preventDefault()
              void run(() => add(event.dataTransfer.files))
            }}
          >
            <div className="flex flex-wrap items-center gap-3">
              <label
                className={classes(buttonClasses(), 'focus-within:outline-2 focus-within:outline-accent')}
              >
                <FileUp size={16} aria-hidden="true" />
                Choose files
                <input
                  type="file"
                  multiple
                  accept=".json,.yaml,.yml,application/json,application/yaml"
                  className="sr-only"
                  onChange={(event) => void run(() => add(event.target.files))}
                />
              </label>
              <span className="text-muted">or drop them here</span>
            </div>
            {files.length > 0 && (
              <ul className="flex flex-col gap-1">
                {files.map(({ name, text }, index) => (
                  <li key={name + index} className="flex flex-wrap items-center gap-2">
                    <code className="break-all">{name}</code>
                    <span className="text-sm text-muted">{text.length.toLocaleString('en')} characters</span>
                    <Button
                      isSmall
                      tone="quiet"
                      aria-label={`Remove ${name}`}
                      onClick={() => setFiles(files.filter((_, other) => other !== index))}
                    >
                      Remove
                    </Button>
                  </li>
                ))}
              </ul>
            )}
            <Labeled id={`${id}text`} label="Or paste the text">
              <TextArea
                id={`${id}text`}
                rows={8}
                value={pasted}
                className="font-mono"
                onChange={(event) => setPasted(event.target.value)}
              />
            </Labeled>
          </fieldset>
        </Card>
        <Card title="Options">
          <div className="flex flex-col gap-3">
            <Labeled
              id={`${id}set`}
              label="Name of the set"
              hint="The set manages the resources that it creates. Default: default"
            >
              <TextInput
                id={`${id}set`}
                aria-describedby={`${id}set-hint`}
                value={managedBy}
                onChange={(event) => setManagedBy(event.target.value)}
              />
            </Labeled>
            <Labeled
              id={`${id}variables`}
              label="Variables"
              hint="One per line: NAME=value. They replace ${var.NAME} in the documents."
              error={given.fault}
            >
              <TextArea
                id={`${id}variables`}
                aria-describedby={`${id}variables-hint`}
                aria-invalid={given.fault !== null || undefined}
                value={variables}
                className="font-mono"
                onChange={(event) => setVariables(event.target.value)}
              />
            </Labeled>
            <Checkbox
              label="Remove resources that the documents no longer contain"
              hint="Only resources that this set manages"
              checked={prune}
              onChange={(event) => setPrune(event.target.checked)}
            />
            <Checkbox
              label="Take over resources of other sets"
              checked={takeOver}
              onChange={(event) => setTakeOver(event.target.checked)}
            />
          </div>
        </Card>
        {fault !== null && <FaultBox fault={fault} />}
        <div className="flex flex-wrap items-center justify-between gap-2">
          {showAs('config.plan', input)}
          <Button
            type="submit"
            tone="primary"
            disabled={documents.length === 0 || given.fault !== null}
            isBusy={isBusy}
          >
            Show the plan
          </Button>
        </div>
      </form>
    </Page>
  )
}

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
            side === 'instance' && 'changed here since the last apply',
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
        <Card title="Changed when read from the documents">
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
