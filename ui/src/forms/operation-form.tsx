import { Download, type LucideIcon } from 'lucide-react'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import type { Json, JsonObject, ResourceSchemas } from '../../build/document.ts'
import { type Answer, type OperationName, type OperationRow, operation, useMay } from '../api/client.ts'
import { saveFile } from '../kit/browser.ts'
import { Button, Checkbox, type Tone } from '../kit/controls.tsx'
import { Dialog } from '../kit/dialog.tsx'
import { useLeaveGuard } from '../kit/leave-guard.ts'
import { Status } from '../kit/status.tsx'
import { CodeBlock } from '../kit/text.tsx'
import { fieldsOf, markdownOf, ofStoredType } from '../schema/fields.ts'
import { addressOf, isEqual } from '../schema/value.ts'
import { ShowAs } from '../show-as/show-as.tsx'
import { Details } from '../tables/details.tsx'
import {
  decidedBy,
  effectOf,
  NOT_IF_MANAGED,
  nameOfItem,
  runTitleOf,
  sentenceOf,
  setOf,
  wordOf,
} from './actions.ts'
import { isTold, secretLabel, secretsOf } from './answers.ts'
import { isSimpleCreation } from './created.ts'
import type { OwnFields } from './form-state.tsx'
import { SchemaForm } from './schema-form.tsx'
import { isCallToken } from './token-use.ts'
import { TokenUse } from './token-use.tsx'
import {
  errorsOf,
  FormBar,
  FormFault,
  isEndOf,
  NOT_CONFIRMED,
  Review,
  sayStored,
  useWrite,
  WaitsFor,
  type WriteInput,
} from './write.tsx'

interface OperationFormProps {
  readonly row: OperationRow
  readonly schemas: ResourceSchemas
  /** Members that the place of the form decides, such as the id. They are sent and not asked for. */
  readonly fixed?: JsonObject
  /** The resource that the operation is run on: members of other types than its own are not asked for. */
  readonly stored?: JsonObject
  /** First values of the other members. */
  readonly start?: JsonObject
  /** Members that are not asked for, and not sent unless `fixed` has them. */
  readonly unasked?: readonly string[]
  /** The word of the last button, if the name of the action says less. */
  readonly verb?: string
  /** What is said of an answer that is not shown. */
  readonly done?: string
  /** Slug to be typed before something that cannot be undone; null: the operation needs none. */
  readonly confirmWith?: string | null
  readonly expectedRevision?: number | undefined
  readonly onCancel?: () => void
  /** Told once the operation is done and its answer has nothing left to show. */
  readonly onDone?: (answer: Answer) => void
  /** The form is the page: its buttons stay in view. */
  readonly isPage?: boolean
  /** True for an answer that is shown in place of the form before `onDone` is told. Default: every answer. */
  readonly showsResult?: (output: JsonObject) => boolean
  readonly own?: OwnFields
  /** What the operation does to callers, above the fields. */
  readonly note?: ReactNode
}

/** Runs an operation: its input as a form, the difference that it makes, a confirmation, and its answer. */
export function OperationForm(props: OperationFormProps) {
  const {
    row,
    schemas,
    fixed = {},
    stored,
    start = {},
    unasked = [],
    verb,
    done = `Done: ${row.summary.toLowerCase()}`,
    confirmWith = null,
    expectedRevision,
    onCancel,
    onDone,
    isPage = false,
    showsResult = () => true,
    own = {},
    note,
  } = props
  const [first] = useState(start)
  const [value, setValue] = useState<JsonObject>(first)
  const write = useWrite(row)
  const { state } = write
  const isOpen = state.step !== 'done' && state.step !== 'waiting'
  useLeaveGuard(isOpen && row.effect !== 'read' && !isEqual(first, withoutCleared(value, first)))
  const schema = schemas.actions[row.action]?.input ?? {}
  const all = fieldsOf(schema, schemas.$defs).filter(
    ({ name }) => !Object.hasOwn(fixed, name) && !unasked.includes(name),
  )
  const created = schemas.actions['create']?.input
  const fields =
    stored === undefined || created === undefined
      ? all
      : ofStoredType(all, fieldsOf(created, schemas.$defs), stored)
  const input: WriteInput = { ...value, ...fixed }
  const isSimple = isSimpleCreation(row) && write.hasDryRun
  const form = useRef<HTMLFormElement>(null)
  const wasReviewed = useRef(false)
  useEffect(() => {
    if (state.step === 'review') wasReviewed.current = true
    else if (state.step === 'editing' && state.fault === null && wasReviewed.current) {
      wasReviewed.current = false
      form.current?.querySelector<HTMLElement>('[data-review]')?.focus()
    }
  }, [state])
  const needsWord = row.options.includes('confirm') && confirmWith !== null && row.effect !== 'read'

  if (state.step === 'done')
    return (
      <Done
        row={row}
        schemas={schemas}
        answer={state.answer}
        done={done}
        showsResult={showsResult}
        {...(stored !== undefined && { stored })}
        onClose={() => (onDone === undefined ? write.edit() : onDone(state.answer))}
      />
    )
  if (state.step === 'waiting') return <WaitsFor change={state.change} />
  const request = { operation: row, input, options: {} }
  if (state.step === 'review' || state.step === 'conflict')
    return (
      <Review
        row={row}
        {...(verb !== undefined && { verb })}
        confirmWith={needsWord ? confirmWith : null}
        slug={confirmWith}
        onBack={write.edit}
        showAs={<ShowAs request={request} />}
        onConfirm={(options) =>
          write.confirm(input, { ...options, ...(expectedRevision !== undefined && { expectedRevision }) })
        }
        state={state}
      />
    )
  const fault = state.step === 'editing' ? state.fault : null
  const next = isSimple
    ? (verb ?? 'Create')
    : write.hasDryRun
      ? 'Review the change'
      : row.effect === 'read'
        ? 'Show'
        : (verb ?? 'Run')
  return (
    <form
      ref={form}
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        // What cannot be undone is confirmed on the next page, with the difference
        const options = needsWord ? { confirm: confirmWith } : {}
        const asked = isSimple ? write.make(input) : write.review(input, options)
        asked.catch(() => {})
      }}
    >
      {note !== undefined && <p>{note}</p>}
      {fields.length > 0 && (
        <SchemaForm fields={fields} value={value} onChange={setValue} errors={errorsOf(fault)} own={own} />
      )}
      <FormFault fault={fault} />
      <FormBar aside={<ShowAs request={request} />} isSticky={isPage}>
        {onCancel !== undefined && <Button onClick={onCancel}>Cancel</Button>}
        {isSimple && (
          <Button
            data-review=""
            disabled={state.step === 'asking'}
            onClick={() => {
              if (form.current?.reportValidity() === true) write.review(input).catch(() => {})
            }}
          >
            Review the change first
          </Button>
        )}
        <Button
          type="submit"
          data-review={isSimple ? undefined : ''}
          tone={row.effect === 'delete' ? 'danger' : 'primary'}
          isBusy={state.step === 'asking'}
        >
          {next}
        </Button>
      </FormBar>
    </form>
  )
}

/** Without texts that were typed and removed again: the form would say nothing else. */
function withoutCleared(value: JsonObject, first: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(value).filter(([name, member]) => member !== '' || Object.hasOwn(first, name)),
  )
}

interface DoneProps {
  readonly row: OperationRow
  readonly schemas: ResourceSchemas
  readonly answer: Answer
  readonly done: string
  readonly showsResult: (output: JsonObject) => boolean
  /** The resource that the operation was run on. */
  readonly stored?: JsonObject
  readonly onClose: () => void
}

/** The answer, or what follows if it has nothing to show. */
function Done({ row, schemas, answer, done, showsResult, stored, onClose }: DoneProps) {
  // Operations answer objects
  const output = answer.body as unknown as JsonObject
  const isShown = showsResult(output)
  useEffect(() => {
    if (isShown) return
    sayStored(output, done)
    onClose()
  }, [])
  if (!isShown) return null
  return (
    <Result
      row={row}
      output={output}
      schemas={schemas}
      {...(stored !== undefined && { stored })}
      onClose={onClose}
    />
  )
}

interface ResultProps {
  readonly row: OperationRow
  readonly output: JsonObject
  readonly schemas: ResourceSchemas
  /** The resource that the operation was run on. */
  readonly stored?: JsonObject
  readonly onClose: () => void
}

const NOT_KEPT = {
  title: 'Close without storing the secret?',
  text: 'It cannot be shown again. If you have not stored it, you need to issue a new one.',
  yes: 'Close without storing it',
  no: 'Back to the secret',
}

/** What an operation has answered. Secrets are shown here once, and nowhere else: closing asks for them to be copied first. */
export function Result({ row, output, schemas, stored, onClose }: ResultProps) {
  const shape = schemas.actions[row.action]?.output
  const secrets = secretsOf(output, shape, schemas.$defs)
  const isPending = output['pending'] === true
  return (
    <div className="flex flex-col gap-4">
      {row.effect !== 'read' &&
        (isPending ? (
          <Status state="pending" className="whitespace-normal">
            {NOT_CONFIRMED}
          </Status>
        ) : (
          <Status state="ok">Done</Status>
        ))}
      {secrets.length > 0 ? (
        <Secrets
          secrets={secrets.map(({ name, value }) => ({
            label: secretLabel(name, output, stored === undefined ? null : subjectOf(row.resource, stored)),
            value,
            isCallToken: isCallToken(row.resource, name),
          }))}
          use={(token) => <TokenUse token={token} output={output} stored={stored ?? {}} />}
          onClose={onClose}
        />
      ) : (
        <>
          <Details
            value={output}
            markdown={shape === undefined ? [] : markdownOf(fieldsOf(shape, schemas.$defs))}
          />
          <div className="flex justify-end">
            <Button onClick={onClose}>Close</Button>
          </div>
        </>
      )}
    </div>
  )
}

/** A profile is named with its client. */
function subjectOf(resource: string, stored: JsonObject): string {
  return typeof stored['client'] === 'string' ? addressOf(resource, stored) : nameOfItem(stored, '')
}

interface SecretsProps {
  readonly secrets: readonly { readonly label: string; readonly value: Json; readonly isCallToken: boolean }[]
  /** How a token that calls the gateway is used. */
  readonly use: (token: string) => ReactNode
  readonly onClose: () => void
}

function Secrets({ secrets, use, onClose }: SecretsProps) {
  const [isKept, setKept] = useState(false)
  useLeaveGuard(!isKept, NOT_KEPT)
  const texts = secrets.map(({ label, value, isCallToken: isToken }) => ({
    label,
    isToken,
    text: typeof value === 'string' ? value : JSON.stringify(value, null, 2),
  }))
  const download = (): void => {
    const content = texts.map(({ label, text }) => `${label}: ${text}`).join('\n')
    saveFile('secret.txt', new Blob([content], { type: 'text/plain' }))
  }
  return (
    <>
      <p>Copy this now. It is shown once, and Postern does not store it in a readable form.</p>
      {texts.map(({ label, text }) => (
        <div key={label} className="flex flex-col gap-1">
          <h3 className="font-medium">{label}</h3>
          <CodeBlock label={label} text={text} />
        </div>
      ))}
      {texts.filter(({ isToken }) => isToken).length === 1 && use(texts.find(({ isToken }) => isToken)!.text)}
      <Checkbox
        label="I have stored it"
        checked={isKept}
        onChange={(event) => setKept(event.target.checked)}
      />
      <div className="flex justify-end gap-2">
        <Button icon={Download} onClick={download}>
          Download
        </Button>
        <Button tone="primary" disabled={!isKept} onClick={onClose}>
          Close
        </Button>
      </div>
    </>
  )
}

/** Members that name the same state in two ways. */
const STATES = ['status', 'active']

interface RunDialogProps {
  readonly row: OperationRow
  readonly schemas: ResourceSchemas
  readonly value: JsonObject
  readonly slug: string
  readonly onClose: () => void
  readonly onDeleted?: () => void
  /** First values of the input. */
  readonly start?: JsonObject
  readonly own?: OwnFields
}

/**
 * An operation on one resource, in a dialog. It stays what its button said, also when the resource has changed meanwhile; an answer
 * with nothing to read closes it.
 */
export function RunDialog({
  row,
  schemas,
  value,
  slug,
  start,
  own = {},
  onClose,
  onDeleted = onClose,
}: RunDialogProps) {
  const revision =
    typeof value['revision'] === 'number' && row.options.includes('expected_revision')
      ? value['revision']
      : undefined
  const [{ title, decided, word, effect }] = useState(() => ({
    effect: effectOf(row, value),
    title: runTitleOf(row, value, slug),
    decided: decidedBy(row, value),
    word: wordOf(row, value),
  }))
  return (
    <Dialog title={title} onClose={onClose} shape="wide">
      <p className="mb-4 text-muted">{sentenceOf(row.summary)}</p>
      <OperationForm
        row={row}
        schemas={schemas}
        fixed={{ id: String(value['id'] ?? slug), ...decided }}
        stored={value}
        done={`Done: ${title.charAt(0).toLowerCase()}${title.slice(1)}`}
        {...(decided !== null && { verb: word, unasked: STATES })}
        {...(start !== undefined && { start })}
        {...(effect !== null && { note: effect })}
        own={own}
        confirmWith={String(value['slug'] ?? slug)}
        expectedRevision={revision}
        onCancel={onClose}
        onDone={({ body }) => (isEndOf(row, body) ? onDeleted() : onClose())}
        showsResult={(output) => !isEndOf(row, output) && !isTold(row, output, schemas)}
      />
    </Dialog>
  )
}

interface RunButtonProps {
  readonly name: OperationName
  readonly label: string
  readonly schemas: ResourceSchemas
  /** The resource that the operation is run on. */
  readonly value: JsonObject
  readonly slug: string
  readonly start?: JsonObject
  readonly icon?: LucideIcon
  readonly tone?: Tone
}

/** A button that runs an operation on a resource, for people who may run it. Documents that manage the resource decide some. */
export function RunButton({ name, label, schemas, value, slug, start, icon, tone }: RunButtonProps) {
  const may = useMay()
  const [isOpen, setOpen] = useState(false)
  const row = operation(name)
  const isManaged = setOf(value['managed_by']) !== null
  if (row === null || !may(name) || (isManaged && NOT_IF_MANAGED.includes(row.action))) return null
  return (
    <>
      <Button
        isSmall
        onClick={() => setOpen(true)}
        {...(icon !== undefined && { icon })}
        {...(tone !== undefined && { tone })}
      >
        {label}
      </Button>
      {isOpen && (
        <RunDialog
          row={row}
          schemas={schemas}
          value={value}
          slug={slug}
          onClose={() => setOpen(false)}
          {...(start !== undefined && { start })}
        />
      )}
    </>
  )
}
