import { useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useCallback, useEffect, useId, useRef, useState } from 'react'
import type { JsonObject, ResourceSchemas } from '../../build/document.ts'
import {
  type Answer,
  client,
  type DiffEntry,
  type Input,
  type OperationName,
  type WriteOptions,
} from '../api/client.ts'
import { type Fault, faultOf, type WaitingChange, waitingChange } from '../api/problem.ts'
import { refreshPage, useSession } from '../api/session.ts'
import { nameOf, type OperationRow } from '../api/use-call.ts'
import { Button } from '../kit/button.tsx'
import { classes } from '../kit/classes.ts'
import { Diff } from '../kit/diff.tsx'
import { Labeled, TextInput } from '../kit/inputs.tsx'
import { useLeaveGuard } from '../kit/leave-guard.ts'
import { FaultBox } from '../kit/states.tsx'
import { Status } from '../kit/status.tsx'
import { fieldsOf, ofStoredType } from '../schema/fields.ts'
import { isEqual } from '../schema/value.ts'
import { ShowAs } from '../show-as/show-as.tsx'
import type { OwnFields } from './form-state.tsx'
import { Result } from './result.tsx'
import { sayStored } from './say-stored.ts'
import { SchemaForm } from './schema-form.tsx'
import { WaitsFor } from './waits-for.tsx'

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
  const needsWord = row.options.includes('confirm') && confirmWith !== null && row.effect !== 'read'

  if (state.step === 'done')
    return (
      <Done
        row={row}
        schemas={schemas}
        answer={state.answer}
        done={done}
        showsResult={showsResult}
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
  const next = write.hasDryRun ? 'Review the change' : row.effect === 'read' ? 'Show' : (verb ?? 'Run')
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        // What cannot be undone is confirmed on the next page, with the difference
        const options = needsWord ? { confirm: confirmWith } : {}
        write.review(input, options).catch(() => {})
      }}
    >
      {fields.length > 0 && (
        <SchemaForm fields={fields} value={value} onChange={setValue} errors={errorsOf(fault)} own={own} />
      )}
      <FormFault fault={fault} />
      <FormBar aside={<ShowAs request={request} />} isSticky={isPage}>
        {onCancel !== undefined && <Button onClick={onCancel}>Cancel</Button>}
        <Button
          type="submit"
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

interface ReviewProps {
  readonly row: OperationRow
  readonly state: Extract<ReturnType<typeof useWrite>['state'], { step: 'review' | 'conflict' }>
  /** Text that the server wants to be confirmed; null: it wants none. */
  readonly confirmWith: string | null
  /** Slug of what is changed; null: a new resource, or one without a slug. */
  readonly slug?: string | null
  /** The word of the button that makes the change. Default: by the operation. */
  readonly verb?: string
  readonly showAs: ReactNode
  readonly onBack: () => void
  readonly onConfirm: (options: WriteOptions) => Promise<void>
  /** What the change does, in words of its own: the difference is folded below it. */
  readonly summary?: ReactNode
  /** The review is the page: its buttons stay in view. */
  readonly isPage?: boolean
  /** A later change can undo this one. */
  readonly isUndoable?: boolean
}

/** The difference that a change makes, and what is still needed to make it. */
export function Review(props: ReviewProps) {
  const { row, state, confirmWith, slug = null, showAs, onBack, onConfirm, summary, isPage = false } = props
  const { verb = verbOf(row), isUndoable = confirmWith === null } = props
  const instance = useSession()?.instance
  // In production, each change of something that is there is confirmed
  const isProduction = instance?.production === true && row.effect !== 'create'
  const asked = confirmWith ?? (isProduction ? (slug ?? instance.environment) : null)
  const [word, setWord] = useState('')
  const [reason, setReason] = useState('')
  useLeaveGuard(reason !== '')
  const wordId = useId()
  const reasonId = useId()
  const isConflict = state.step === 'conflict'
  const approval = state.step === 'review' ? state.approvalNeeded : []
  const isSending = state.step === 'review' && state.isSending
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        onConfirm({ ...(reason !== '' && { reason }), ...(confirmWith !== null && { confirm: word }) }).catch(
          () => {},
        )
      }}
    >
      {summary}
      {state.step === 'review' &&
        (summary === undefined ? (
          <Diff entries={state.diff} />
        ) : (
          <details>
            <summary className="font-medium">All that changes</summary>
            <div className="mt-2">
              <Diff entries={state.diff} />
            </div>
          </details>
        ))}
      {state.fault !== null && <FaultBox fault={state.fault} />}
      {approval.length > 0 && (
        <p>
          <Status state="pending">Needs approval</Status> Another person has to approve this change by the
          rules: {approval.join(', ')}.
        </p>
      )}
      {row.options.includes('reason') && !isConflict && (
        <Labeled id={reasonId} label="Reason" hint="Stored in the audit entry">
          <TextInput
            id={reasonId}
            value={reason}
            maxLength={2000}
            onChange={(event) => setReason(event.target.value)}
          />
        </Labeled>
      )}
      {asked !== null && !isConflict && (
        <Labeled
          id={wordId}
          label={`Type ${asked} to confirm`}
          hint={
            !isUndoable ? 'This cannot be undone.' : isProduction ? 'This is a production environment.' : ''
          }
        >
          <TextInput
            id={wordId}
            value={word}
            onChange={(event) => setWord(event.target.value)}
            className="font-mono"
          />
        </Labeled>
      )}
      <FormBar aside={showAs} isSticky={isPage}>
        <Button onClick={onBack} disabled={isSending}>
          Back
        </Button>
        {!isConflict && (
          <Button
            type="submit"
            tone={row.effect === 'delete' ? 'danger' : 'primary'}
            disabled={asked !== null && word !== asked}
            isBusy={isSending}
          >
            {approval.length > 0 ? 'Ask for approval' : verb}
          </Button>
        )}
      </FormBar>
    </form>
  )
}

function verbOf({ effect, action }: OperationRow): string {
  if (effect === 'create') return 'Create'
  if (effect === 'update') return 'Save'
  if (effect === 'delete') return 'Delete'
  const words = action.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

interface DoneProps {
  readonly row: OperationRow
  readonly schemas: ResourceSchemas
  readonly answer: Answer
  readonly done: string
  readonly showsResult: (output: JsonObject) => boolean
  readonly onClose: () => void
}

/** The answer, or what follows if it has nothing to show. */
function Done({ row, schemas, answer, done, showsResult, onClose }: DoneProps) {
  // Operations answer objects
  const output = answer.body as unknown as JsonObject
  const isShown = showsResult(output)
  useEffect(() => {
    if (isShown) return
    sayStored(output, done)
    onClose()
  }, [])
  return isShown ? <Result row={row} output={output} schemas={schemas} onClose={onClose} /> : null
}

/** The refusal of a form, brought into view and into focus: a form may be longer than the window. */
export function FormFault({ fault }: { fault: Fault | null }) {
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (fault === null) return
    box.current?.scrollIntoView({ block: 'center' })
    box.current?.focus({ preventScroll: true })
  }, [fault])
  if (fault === null) return null
  return (
    <div ref={box} tabIndex={-1}>
      <FaultBox fault={fault} />
    </div>
  )
}

interface FormBarProps {
  /** At the left: what is no button of the form. */
  readonly aside: ReactNode
  /** The bar stays in view while the page scrolls, so that a long form can be sent from everywhere. */
  readonly isSticky?: boolean
  readonly children: ReactNode
}

/** The buttons of a form. */
export function FormBar({ aside, isSticky = false, children }: FormBarProps) {
  return (
    <div
      className={classes(
        'flex flex-wrap items-center justify-between gap-2',
        isSticky && 'sticky bottom-0 z-10 border-t border-line bg-page py-3',
      )}
    >
      <span className="flex items-center gap-2">{aside}</span>
      <div className="flex flex-wrap gap-2">{children}</div>
    </div>
  )
}

export type WriteInput = Readonly<Record<string, unknown>>

/** Where a change stands. Nothing that the gateway enforces is shown before the server has confirmed it. */
export type WriteState =
  | { readonly step: 'editing'; readonly fault: Fault | null }
  | { readonly step: 'asking' }
  /** The server has judged the change and stored nothing. */
  | {
      readonly step: 'review'
      readonly diff: readonly DiffEntry[]
      readonly approvalNeeded: readonly string[]
      /** What the operation would answer. */
      readonly result: JsonObject
      readonly fault: Fault | null
      /** It was confirmed, and the server has not answered yet. */
      readonly isSending: boolean
    }
  /** Somebody else has changed the resource since it was loaded. */
  | { readonly step: 'conflict'; readonly fault: Fault }
  | { readonly step: 'waiting'; readonly change: WaitingChange }
  | { readonly step: 'done'; readonly answer: Answer }

/**
 * Diff before write: a dry run shows what would change, then the same input is sent with the revision that the person has seen.
 * Operations without a dry run are sent at once.
 */
export function useWrite(row: OperationRow) {
  const queries = useQueryClient()
  const [state, setState] = useState<WriteState>({ step: 'editing', fault: null })
  const hasDryRun = row.options.includes('dry_run')

  const send = useCallback(
    async (input: WriteInput, options: WriteOptions): Promise<void> => {
      setState((before) => (before.step === 'review' ? { ...before, isSending: true } : { step: 'asking' }))
      try {
        const answer = await client.call(nameOf(row), input as Input<OperationName>, options)
        if (answer.diff !== null) {
          setState({
            step: 'review',
            diff: answer.diff,
            approvalNeeded: answer.approvalNeeded,
            result: answer.body as unknown as JsonObject,
            fault: null,
            isSending: false,
          })
          return
        }
        setState({ step: 'done', answer })
        if (row.effect !== 'read') await refreshPage(queries, isEndOf(row, answer.body) ? row.resource : null)
      } catch (error) {
        const change = waitingChange(error)
        const fault = faultOf(error)
        if (change !== null) setState({ step: 'waiting', change })
        else if (fault.code === 'revision_conflict') setState({ step: 'conflict', fault })
        else setState({ step: 'editing', fault })
      }
    },
    [row, queries],
  )

  return {
    state,
    hasDryRun,
    review: (input: WriteInput, options: WriteOptions = {}) =>
      send(input, hasDryRun ? { ...options, dryRun: true } : options),
    confirm: (input: WriteInput, options: WriteOptions) => send(input, options),
    edit: () => setState({ step: 'editing', fault: null }),
  }
}

/** Members of answers that are true if the resource has gone with the change. */
const ENDS = ['deleted', 'disconnected', 'revoked']

/** True if the resource is gone after the operation: its page is left. */
export function isEndOf({ effect }: OperationRow, output: object): boolean {
  const members = output as Readonly<Record<string, unknown>>
  return effect === 'delete' || ENDS.some((name) => members[name] === true)
}

/** Reasons by JSON pointer, for the fields of a form. */
export function errorsOf(fault: Fault | null): Readonly<Record<string, string>> {
  return Object.fromEntries((fault?.fields ?? []).map(({ pointer, reason }) => [pointer, reason]))
}
