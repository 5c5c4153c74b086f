import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { FileUp } from 'lucide-react'
import { type ReactNode, useEffect, useId, useState } from 'react'
import type { JsonObject, ResourceSchemas } from '../../../build/document.ts'
import { type OperationRow, operation, useCall, useMay, useSchemas } from '../../api/client.ts'
import { one } from '../../app/search.ts'
import { RunDialog } from '../../forms/operation-form.tsx'
import { SchemaForm } from '../../forms/schema-form.tsx'
import {
  errorsOf,
  FormBar,
  FormFault,
  NOT_CONFIRMED,
  Review,
  useWrite,
  WaitsFor,
} from '../../forms/write.tsx'
import { Button, buttonClasses, Labeled, TextArea } from '../../kit/controls.tsx'
import { useLeaveGuard } from '../../kit/leave-guard.ts'
import { Card, Forbidden, Page, SkeletonRows } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { classes } from '../../kit/style.ts'
import { fieldsOf } from '../../schema/fields.ts'
import { ShowAs } from '../../show-as/show-as.tsx'
import { type Note, type Plan, planOf, summaryOf } from './plan.ts'

/** Longer documents are not put into commands: nobody reads them there. Characters. */
const SHOWN_AS_MAX = 100_000

/**
 * A description becomes a collection, or brings one up to date: file, plan, import. `?collection=orders` names the collection
 * that takes the newer description.
 */
export default function ImportCollection() {
  const search = useSearch({ strict: false })
  const may = useMay()
  const collection = one(search['collection'])
  const schemas = useSchemas('collections')
  const row = operation(collection === undefined ? 'collections.import' : 'collections.reimport')!
  const title = collection === undefined ? 'Import a description' : `Import into ${collection}`
  if (!may(collection === undefined ? 'collections.import' : 'collections.reimport'))
    return (
      <Page name={title} title={title}>
        <Forbidden permission={row.permission} />
      </Page>
    )
  return (
    <Page
      name={title}
      title={title}
      lead="OpenAPI 2.0, 3.0 and 3.1, Postman collections and HAR files, as JSON or YAML"
    >
      {schemas == null ? (
        <SkeletonRows rows={8} />
      ) : (
        <Import key={collection ?? ''} row={row} schemas={schemas} collection={collection ?? null} />
      )}
    </Page>
  )
}

interface ImportProps {
  readonly row: OperationRow
  readonly schemas: ResourceSchemas
  readonly collection: string | null
}

function Import({ row, schemas, collection }: ImportProps) {
  const navigate = useNavigate()
  const [text, setText] = useState('')
  const [fileName, setFileName] = useState<string | null>(null)
  const [options, setOptions] = useState<JsonObject>({})
  const write = useWrite(row)
  const { state } = write
  const isOpen = state.step !== 'done' && state.step !== 'waiting'
  useLeaveGuard(isOpen && (text !== '' || Object.keys(options).length > 0))
  useEffect(() => {
    document.getElementById('main')?.scrollTo(0, 0)
  }, [state.step])
  const input = { ...(collection !== null && { id: collection }), document: text, ...options }
  const fields = fieldsOf(schemas.actions[row.action]!.input, schemas.$defs).filter(
    ({ name }) => name !== 'document' && name !== 'id',
  )
  if (state.step === 'waiting') return <WaitsFor change={state.change} />
  if (state.step === 'done') {
    const result = state.answer.body as unknown as JsonObject
    const slug = String((result['collection'] as JsonObject | undefined)?.['slug'] ?? collection)
    return (
      <Done slug={slug} schemas={schemas} isPending={result['pending'] === true}>
        <PlanView plan={planOf(result, [])} isDone />
      </Done>
    )
  }
  const showAs =
    text.length > SHOWN_AS_MAX ? (
      <span className="text-sm text-muted">
        <code>postern {row.command}</code> imports a file of this size
      </span>
    ) : (
      <ShowAs request={{ operation: row, input, options: {} }} />
    )
  if (state.step === 'review' || state.step === 'conflict')
    return (
      <div className="max-w-260">
        <Review
          row={row}
          state={state}
          confirmWith={null}
          isPage
          summary={state.step === 'review' && <PlanView plan={planOf(state.result, state.diff)} />}
          showAs={showAs}
          onBack={write.edit}
          onConfirm={(more) => write.confirm(input, more)}
        />
      </div>
    )
  const fault = state.step === 'editing' ? state.fault : null
  return (
    <form
      className="flex max-w-200 flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        write.review(input).catch(() => {})
      }}
    >
      <Card title="Description">
        <Source
          text={text}
          fileName={fileName}
          onText={(next, name) => {
            setText(next)
            setFileName(name)
          }}
        />
      </Card>
      <Card title="Options">
        <SchemaForm fields={fields} value={options} onChange={setOptions} errors={errorsOf(fault)} />
      </Card>
      <FormFault fault={fault} />
      <FormBar aside={showAs}>
        <Button
          onClick={() =>
            void navigate(
              collection === null
                ? { to: '/$resource', params: { resource: 'collections' } }
                : { to: '/$resource/$id', params: { resource: 'collections', id: collection } },
            )
          }
        >
          Cancel
        </Button>
        <Button type="submit" tone="primary" disabled={text === ''} isBusy={state.step === 'asking'}>
          Show the plan
        </Button>
      </FormBar>
    </form>
  )
}

interface SourceProps {
  readonly text: string
  readonly fileName: string | null
  readonly onText: (text: string, fileName: string | null) => void
}

/** A file that is chosen or dropped, or pasted text. */
function Source({ text, fileName, onText }: SourceProps) {
  const id = useId()
  const [problem, setProblem] = useState<string | null>(null)
  const read = (file: File | undefined): void => {
    if (file === undefined) return
    file.text().then(
      (next) => {
        setProblem(null)
        onText(next, file.name)
      },
      () => setProblem(`The file ${file.name} cannot be read.`),
    )
  }
  return (
    <fieldset
      aria-label="Description"
      className="flex flex-col gap-3"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault()
        read(event.dataTransfer.files[0])
      }}
    >
      <div className="flex flex-wrap items-center gap-3">
        <label className={classes(buttonClasses(), 'focus-within:outline-2 focus-within:outline-accent')}>
          <FileUp size={16} aria-hidden="true" />
          Choose a file
          <input
            type="file"
            accept=".json,.yaml,.yml,.har,application/json,application/yaml"
            className="sr-only"
            onChange={(event) => read(event.target.files?.[0])}
          />
        </label>
        <span className="min-w-0 break-all text-muted">
          {fileName === null
            ? 'or drop it here'
            : `${fileName}, ${text.length.toLocaleString('en')} characters`}
        </span>
      </div>
      {problem !== null && <p className="text-bad">{problem}</p>}
      {fileName === null && (
        <Labeled id={`${id}text`} label="Or paste the text">
          <TextArea
            id={`${id}text`}
            rows={8}
            value={text}
            className="font-mono"
            onChange={(event) => onText(event.target.value, null)}
          />
        </Labeled>
      )}
    </fieldset>
  )
}

const CHANGES = {
  added: { state: 'ok', label: 'added' },
  changed: { state: 'changed', label: 'changed' },
  missing: { state: 'warn', label: 'missing' },
} as const
/** Rows of a plan that are shown at once. */
const ROWS_MAX = 500

function PlanView({ plan, isDone = false }: { plan: Plan; isDone?: boolean }) {
  if (isDone && [plan.rows, plan.warnings, plan.notEnforced].every(({ length }) => length === 0)) return null
  return (
    <Card title={isDone ? 'Imported' : 'Plan'}>
      <div className="flex flex-col gap-3">
        {(plan.rows.length > 0 || !isDone) && (
          <p>
            {plan.place !== '' && `${plan.place}. `}
            {summaryOf(plan)}.
            {plan.rows.some(({ change }) => change === 'missing') &&
              ' Missing proxies are in the collection, but not in the description.'}
          </p>
        )}
        {plan.rows.length > 0 && (
          <div
            className="max-h-100 overflow-auto"
            tabIndex={0}
            role="region"
            aria-label="Proxies of the plan"
          >
            <table className="w-full text-left">
              <tbody>
                {plan.rows.slice(0, ROWS_MAX).map((row) => (
                  <tr key={row.proxy} className="border-t border-line first:border-0">
                    <td className="py-1 pr-3 align-top">
                      <Status state={CHANGES[row.change].state}>{CHANGES[row.change].label}</Status>
                    </td>
                    <td className="py-1 pr-3 align-top">
                      <code className="break-all">{row.route}</code>
                      {row.members.length > 0 && (
                        <span className="block text-sm text-muted">{row.members.join(', ')}</span>
                      )}
                      {row.breaking.map((note) => (
                        <span key={note.pointer + note.reason} className="block text-sm text-bad">
                          Could break callers: <code>{note.pointer}</code> {note.reason}
                        </span>
                      ))}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        {plan.rows.length > ROWS_MAX && <p className="text-muted">And {plan.rows.length - ROWS_MAX} more.</p>}
        <Notes title="Changed on import" notes={plan.warnings} />
        <Notes title="Not enforced" notes={plan.notEnforced} />
      </div>
    </Card>
  )
}

function Notes({ title, notes }: { title: string; notes: readonly Note[] }) {
  if (notes.length === 0) return null
  return (
    <details>
      <summary className="font-medium">
        {title}: {notes.length}
      </summary>
      <ul className="mt-1 flex max-h-60 flex-col gap-1 overflow-auto">
        {notes.slice(0, ROWS_MAX).map((note, index) => (
          <li key={index} className="break-words">
            <code className="break-all">{note.pointer}</code> {note.reason}
          </li>
        ))}
      </ul>
    </details>
  )
}

interface DoneProps {
  readonly slug: string
  readonly schemas: ResourceSchemas
  /** Not all gateway threads have confirmed the import. */
  readonly isPending: boolean
  readonly children: ReactNode
}

function Done({ slug, schemas, isPending, children }: DoneProps) {
  const may = useMay()
  const [isPublishing, setPublishing] = useState(false)
  const { data: collection } = useCall('collections.get', { id: slug })
  return (
    <div className="flex max-w-200 flex-col gap-4">
      <p>
        {isPending ? (
          <Status state="pending" className="whitespace-normal">
            {NOT_CONFIRMED}
          </Status>
        ) : (
          <Status state="ok">Imported</Status>
        )}{' '}
        <Link to="/$resource/$id" params={{ resource: 'collections', id: slug }} className="underline">
          Open the collection {slug}
        </Link>
      </p>
      {collection?.status === 'draft' && (
        <div className="flex flex-wrap items-center gap-3">
          <p>
            <Status state="draft">draft</Status> The gateway returns 404 for this collection until it is
            published.
          </p>
          {may('collections.publish') && (
            <Button tone="primary" isSmall onClick={() => setPublishing(true)}>
              Publish
            </Button>
          )}
        </div>
      )}
      {isPublishing && collection !== undefined && (
        <RunDialog
          row={operation('collections.publish')!}
          schemas={schemas}
          value={collection as unknown as JsonObject}
          slug={slug}
          start={{ status: 'published', cascade: true }}
          onClose={() => setPublishing(false)}
        />
      )}
      {children}
    </div>
  )
}
