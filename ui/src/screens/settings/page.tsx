import type { UseQueryResult } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { Pencil, Plus } from 'lucide-react'
import { useEffect, useState } from 'react'
import type { JsonObject, ResourceSchemas } from '../../../build/document.ts'
import { faultOf, type Output, operation, useCall, useMay, useSchemas } from '../../api/client.ts'
import type { Search } from '../../app/search.ts'
import { SchemaForm } from '../../forms/schema-form.tsx'
import {
  errorsOf,
  FormBar,
  FormFault,
  Review,
  ReviewWrite,
  sayStored,
  useWrite,
  WaitsFor,
} from '../../forms/write.tsx'
import { Button, Checkbox } from '../../kit/controls.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { useLeaveGuard } from '../../kit/leave-guard.ts'
import { Card, FaultBox, Forbidden, Page, SkeletonRows } from '../../kit/page.tsx'
import { CodeBlock } from '../../kit/text.tsx'
import { type Field, fieldsOf } from '../../schema/fields.ts'
import { isEqual } from '../../schema/value.ts'
import { ShowAs } from '../../show-as/show-as.tsx'
import { authenticationOf, Snippets } from '../mcp/snippets.tsx'
import { ruleSentence } from './rule-sentence.ts'

type Settings = Output<'settings.get'>

const WAYS = { sign_in: 'People who sign in', token: 'A script with a personal token' }

/** The settings that change while the gateway runs, those of its start, and how to connect AI applications to Management MCP. */
export default function SettingsPage() {
  const may = useMay()
  const schemas = useSchemas('settings')
  const row = operation('settings.get')!
  const search = useSearch({ strict: false }) as Search
  const query = useCall('settings.get', {})
  // What comes later would push the rest down. The cards get these answers: a card that asked anew would hide all cards
  const connect = useCall('settings.connect', { authentication: authenticationOf(search) }, { isKept: true })
  const start = useCall('settings.list', {})
  if (!may('settings.get'))
    return (
      <Page name="Settings" title="Settings">
        <Forbidden permission={row.permission} />
      </Page>
    )
  return (
    <Page
      name="Settings"
      title="Settings"
      lead="Rules for approvals and new hosts change at once. Startup settings need a restart."
      actions={<ShowAs request={{ operation: row, input: {}, options: {} }} />}
    >
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.isLoading || schemas == null || connect.isLoading || start.isLoading ? (
        <SkeletonRows rows={10} />
      ) : (
        <div className="flex max-w-260 flex-col gap-4">
          {query.data !== undefined && (
            <>
              <Rules settings={query.data} schemas={schemas} />
              <NewHosts settings={query.data} schemas={schemas} />
            </>
          )}
          <ConnectManagement connect={connect} />
          {may('settings.list') && <OfTheStart start={start} />}
        </div>
      )}
    </Page>
  )
}

interface PartProps {
  readonly settings: Settings
  readonly schemas: ResourceSchemas
}

type Doing = { readonly what: 'edit' | 'remove'; readonly index: number } | null

/** The approval rules as sentences, each with its form. */
function Rules({ settings, schemas }: PartProps) {
  const mayChange = useMay()('settings.update')
  const [doing, setDoing] = useState<Doing>(null)
  const rules = settings.approvals
  const close = (): void => setDoing(null)
  const rule = doing === null ? undefined : rules[doing.index]
  return (
    <Card
      title="Approval rules"
      actions={
        mayChange && (
          <Button isSmall icon={Plus} onClick={() => setDoing({ what: 'edit', index: rules.length })}>
            Add a rule
          </Button>
        )
      }
    >
      {rules.length === 0 && <p className="text-muted">No rules. Changes apply without approval.</p>}
      <ul className="flex flex-col gap-3">
        {rules.map((one, index) => (
          <li key={one.name} className="flex flex-wrap items-start justify-between gap-2">
            <div className="min-w-0 flex-1">
              <h3 className="font-medium break-words">{one.name}</h3>
              <p className="break-words">{ruleSentence(one)}</p>
            </div>
            {mayChange && (
              <span className="flex gap-2">
                <Button
                  isSmall
                  aria-label={`Edit ${one.name}`}
                  onClick={() => setDoing({ what: 'edit', index })}
                >
                  Edit
                </Button>
                <Button
                  isSmall
                  tone="danger"
                  aria-label={`Remove ${one.name}`}
                  onClick={() => setDoing({ what: 'remove', index })}
                >
                  Remove
                </Button>
              </span>
            )}
          </li>
        ))}
      </ul>
      {doing?.what === 'edit' && (
        <ChangeDialog
          title={rule === undefined ? 'Add a rule' : `Edit the rule ${rule.name}`}
          fields={ruleFields(schemas)}
          start={(rule ?? {}) as unknown as JsonObject}
          inputFor={(value) => ({
            approvals: [
              ...rules.slice(0, doing.index),
              value,
              ...rules.slice(doing.index + 1),
            ] as unknown as JsonObject[],
          })}
          at={`/approvals/${doing.index}`}
          revision={settings.revision}
          onClose={close}
        />
      )}
      {doing?.what === 'remove' && rule !== undefined && (
        <Dialog title={`Remove the rule ${rule.name}`} onClose={close} shape="wide">
          <ReviewWrite
            row={operation('settings.update')!}
            input={{ approvals: rules.filter((one) => one !== rule) }}
            slug={rule.name}
            expectedRevision={settings.revision}
            done="Removed"
            onBack={close}
            onDone={close}
          />
        </Dialog>
      )}
    </Card>
  )
}

function ruleFields(schemas: ResourceSchemas) {
  const list = inputFields(schemas).find(({ name }) => name === 'approvals')
  return list?.kind === 'list' && list.item.kind === 'group' ? list.item.fields : []
}

function inputFields(schemas: ResourceSchemas) {
  return fieldsOf(schemas.actions['update']!.input, schemas.$defs)
}

/** What becomes of an application that a person allows for the first time. */
function NewHosts({ settings, schemas }: PartProps) {
  const mayChange = useMay()('settings.update')
  const [isOpen, setOpen] = useState(false)
  return (
    <Card
      title="New hosts"
      actions={
        mayChange && (
          <Button isSmall icon={Pencil} aria-label="Edit new hosts" onClick={() => setOpen(true)}>
            Edit
          </Button>
        )
      }
    >
      <p>
        {settings.new_hosts === 'allow'
          ? 'After a person first allows an application, the person can use it at once.'
          : 'After a person first allows an application, its host stays inactive until an administrator activates it.'}
      </p>
      {isOpen && (
        <ChangeDialog
          title="New hosts"
          fields={inputFields(schemas).filter(({ name }) => name === 'new_hosts')}
          start={{ new_hosts: settings.new_hosts }}
          inputFor={(value) => value}
          at=""
          revision={settings.revision}
          onClose={() => setOpen(false)}
        />
      )}
    </Card>
  )
}

type Connect = UseQueryResult<Output<'settings.connect'>>

function ConnectManagement({ connect }: { connect: Connect }) {
  const search = useSearch({ strict: false }) as Search
  const input = { authentication: authenticationOf(search) } as const
  const { data, error, refetch } = connect
  return (
    <Card
      title="Connect to Management MCP"
      actions={<ShowAs request={{ operation: operation('settings.connect')!, input, options: {} }} />}
    >
      <p className="mb-3">
        Through Management MCP, an AI application administers this gateway with the permissions of the person
        who signs in.
      </p>
      {error !== null && <FaultBox fault={faultOf(error)} retry={() => void refetch()} />}
      {data === undefined ? (
        error === null && <SkeletonRows rows={4} />
      ) : (
        <div className="flex flex-col gap-4">
          <CodeBlock label="URL of Management MCP" text={data.url} />
          <Snippets connect={data.connect} ways={WAYS} />
        </div>
      )}
    </Card>
  )
}

/** The settings of the process, which change only with a restart. */
function OfTheStart({ start }: { start: UseQueryResult<Output<'settings.list'>> }) {
  const [isAll, setAll] = useState(false)
  const { data, error, refetch } = start
  const items = (data?.items ?? []).filter(({ source }) => isAll || source !== 'default')
  return (
    <Card
      title="Startup settings"
      actions={
        <Checkbox
          label="Include defaults"
          checked={isAll}
          onChange={(event) => setAll(event.target.checked)}
        />
      }
    >
      {error !== null && <FaultBox fault={faultOf(error)} retry={() => void refetch()} />}
      {data === undefined && error === null && <SkeletonRows rows={6} />}
      {data !== undefined && items.length === 0 && (
        <p className="text-muted">Every setting has its default value.</p>
      )}
      {items.length > 0 && (
        <div className="overflow-auto" tabIndex={0} role="region" aria-label="Startup settings">
          <table className="w-full border-collapse text-left">
            <thead>
              <tr className="text-sm text-muted">
                {['Setting', 'Value', 'From'].map((head) => (
                  <th key={head} scope="col" className="pr-4 pb-1 font-medium">
                    {head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {items.map((item) => (
                <tr key={item.name} className="border-t border-line align-top">
                  <th scope="row" className="py-1 pr-4 font-normal">
                    <code>{item.name}</code>
                  </th>
                  <td className="py-1 pr-4">
                    {item.source === 'default' ? (
                      <span className="text-muted">{item.default}</span>
                    ) : item.value === null ? (
                      'set, not shown'
                    ) : (
                      <code className="break-all">{item.value}</code>
                    )}
                  </td>
                  <td className="py-1">{item.source}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  )
}

interface ChangeDialogProps {
  readonly title: string
  readonly fields: readonly Field[]
  /** First values of the fields. */
  readonly start: JsonObject
  /** The input of `settings.update` for the values of the fields. */
  readonly inputFor: (value: JsonObject) => JsonObject
  /** Where the fields stand in that input, as a JSON pointer: faults of the server lead to them. */
  readonly at: string
  /** Revision of the settings that the person has seen. */
  readonly revision: number
  readonly onClose: () => void
}

/** Changes a part of the settings: a form, the difference, the confirmation. */
function ChangeDialog({ title, ...props }: ChangeDialogProps) {
  return (
    <Dialog title={title} onClose={props.onClose} shape="wide">
      <Change {...props} />
    </Dialog>
  )
}

function Change({ fields, start, inputFor, at, revision, onClose }: Omit<ChangeDialogProps, 'title'>) {
  const [first] = useState(start)
  const row = operation('settings.update')!
  const [value, setValue] = useState(first)
  const write = useWrite(row)
  const { state } = write
  const input = inputFor(value)
  useLeaveGuard(state.step !== 'done' && state.step !== 'waiting' && !isEqual(first, value))
  useEffect(() => {
    if (state.step !== 'done') return
    sayStored(state.answer.body, 'Saved')
    onClose()
  }, [state, onClose])
  const showAs = <ShowAs request={{ operation: row, input, options: {} }} />
  const fault = state.step === 'editing' ? state.fault : null
  return (
    <>
      {state.step === 'waiting' && <WaitsFor change={state.change} />}
      {(state.step === 'review' || state.step === 'conflict') && (
        <Review
          row={row}
          state={state}
          confirmWith={null}
          showAs={showAs}
          onBack={write.edit}
          onConfirm={(options) => write.confirm(input, { ...options, expectedRevision: revision })}
        />
      )}
      {(state.step === 'editing' || state.step === 'asking') && (
        <form
          className="flex flex-col gap-4"
          onSubmit={(event) => {
            event.preventDefault()
            write.review(input).catch(() => {})
          }}
        >
          <SchemaForm fields={fields} value={value} onChange={setValue} errors={below(errorsOf(fault), at)} />
          <FormFault fault={fault} />
          <FormBar aside={showAs}>
            <Button onClick={onClose}>Cancel</Button>
            <Button type="submit" tone="primary" isBusy={state.step === 'asking'}>
              Review the change
            </Button>
          </FormBar>
        </form>
      )}
    </>
  )
}

/** Errors below a pointer, by what follows it. */
function below(errors: Readonly<Record<string, string>>, at: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(errors).flatMap(([pointer, reason]) =>
      pointer.startsWith(`${at}/`) ? [[pointer.slice(at.length), reason]] : [],
    ),
  )
}
