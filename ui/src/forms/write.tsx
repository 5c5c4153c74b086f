/** The way of a change: the difference that it makes, what is still needed to make it, and what became of it. */
import { useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useCallback, useEffect, useId, useRef, useState } from 'react'
import type { JsonObject } from '../../build/document.ts'
import {
  type Answer,
  client,
  type DiffEntry,
  type Fault,
  faultOf,
  type Input,
  nameOf,
  type OperationName,
  type OperationRow,
  refreshPage,
  useSession,
  type WaitingChange,
  type WriteOptions,
  waitingChange,
} from '../api/client.ts'
import { Button, Labeled, TextInput } from '../kit/controls.tsx'
import { Diff } from '../kit/diff.tsx'
import { useLeaveGuard } from '../kit/leave-guard.ts'
import { FaultBox, SkeletonRows } from '../kit/page.tsx'
import { Badge, Status, say } from '../kit/status.tsx'
import { classes } from '../kit/style.ts'
import { counted } from '../schema/value.ts'
import { ShowAs } from '../show-as/show-as.tsx'
import { Created } from './created.tsx'

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
  const { row, state, confirmWith, slug = null, showAs, onBack, onConfirm, isPage = false } = props
  const { summary } = props
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
  // The button that led here is gone: the keyboard goes on where it was
  const place = useRef<HTMLFormElement>(null)
  useEffect(() => {
    place.current?.focus({ preventScroll: true })
  }, [])
  return (
    <form
      ref={place}
      tabIndex={-1}
      aria-label="Review"
      className="flex flex-col gap-4 outline-none"
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
          // A creation in the words of its form, in place of pointers into the resource
          row.effect === 'create' ? (
            <Created entries={state.diff} />
          ) : (
            <Diff entries={state.diff} />
          )
        ) : (
          <details>
            <summary className="font-medium">All changes</summary>
            <div className="mt-2">
              <Diff entries={state.diff} />
            </div>
          </details>
        ))}
      {state.fault !== null && <FaultBox fault={state.fault} />}
      {approval.length > 0 && (
        <p>
          <Status state="pending">Needs approval</Status> Another person has to approve this change.{' '}
          {approval.length === 1 ? 'Approval rule' : 'Approval rules'}: {approval.join(', ')}.
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
    async (input: WriteInput, options: WriteOptions, isAtOnce = false): Promise<void> => {
      setState((before) => (before.step === 'review' ? { ...before, isSending: true } : { step: 'asking' }))
      try {
        let answer = await client.call(nameOf(row), input as Input<OperationName>, options)
        if (isAtOnce && answer.diff !== null && answer.approvalNeeded.length === 0) {
          const { dryRun: _, ...made } = options
          answer = await client.call(nameOf(row), input as Input<OperationName>, made)
        }
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
    /** Without a review, unless an approval rule applies: then the difference is shown before anybody is asked. */
    make: (input: WriteInput) => send(input, hasDryRun ? { dryRun: true } : {}, true),
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

export const NOT_CONFIRMED = 'Stored. Not all gateway threads have confirmed the change yet.'

/** Says that a change is stored; `done` only once all gateway threads have confirmed it. @param output of the operation */
export function sayStored(output: unknown, done: string): void {
  const isPending = (output as { readonly pending?: unknown }).pending === true
  say(isPending ? 'pending' : 'ok', isPending ? NOT_CONFIRMED : done)
}

/** The change became a change request: the rules that apply, its difference, and its page. */
export function WaitsFor({ change }: { change: WaitingChange }) {
  const { id, rules, diff, diff_entries: count } = change
  return (
    <section aria-label="Waiting for approval" className="flex flex-col gap-3">
      <Status state="pending">Waiting for approval</Status>
      <p>
        Nothing has changed yet. Another person has to approve this change.{' '}
        {rules.length === 1 ? 'Approval rule' : 'Approval rules'}:{' '}
        <span className="inline-flex flex-wrap gap-1 align-bottom">
          {rules.map((rule) => (
            <Badge key={rule}>{rule}</Badge>
          ))}
        </span>
      </p>
      <Diff entries={diff} />
      {count > diff.length && (
        <p className="text-muted">
          The change request has {counted(count - diff.length, 'further entry', 'further entries')}.
        </p>
      )}
      <Link
        to="/$resource/$id"
        params={{ resource: 'change_requests', id }}
        className="self-start text-accent underline"
      >
        Open the change request
      </Link>
    </section>
  )
}

interface ReviewWriteProps {
  readonly row: OperationRow
  readonly input: WriteInput
  /** Slug of what is changed. */
  readonly slug: string
  readonly expectedRevision: number | undefined
  /** The word of the button that makes the change, if the name of the action says less. */
  readonly verb?: string
  /** What is said once it is stored. */
  readonly done: string
  /** The difference as it is shown, if not as the server tells it. */
  readonly shownAs?: (diff: readonly DiffEntry[]) => readonly DiffEntry[]
  readonly onBack: () => void
  readonly onDone: (answer: Answer) => void
  /** Told if the change became a change request. */
  readonly onWaiting?: () => void
  /** Shown in place of the refusal if somebody else was faster. */
  readonly conflict?: ReactNode
  /** What is created was seen in full before: no review, unless an approval rule applies. */
  readonly isSeen?: boolean
}

/** A write whose input is complete: its difference at once, then the confirmation. */
export function ReviewWrite(props: ReviewWriteProps) {
  const { row, input, slug, expectedRevision, done, onBack, onDone, conflict } = props
  const { shownAs = (diff) => diff, verb, onWaiting, isSeen = false } = props
  const write = useWrite(row)
  const { state } = write
  const first = useRef(write)
  useEffect(() => {
    const asked = isSeen ? first.current.make(input) : first.current.review(input)
    asked.catch(() => {})
  }, [])
  useEffect(() => {
    if (state.step === 'waiting') onWaiting?.()
    if (state.step !== 'done') return
    sayStored(state.answer.body, done)
    onDone(state.answer)
  }, [state])
  if (state.step === 'waiting') return <WaitsFor change={state.change} />
  if (state.step === 'conflict' && conflict !== undefined) return conflict
  if (state.step === 'review' || state.step === 'conflict')
    return (
      <Review
        row={row}
        state={state.step === 'review' ? { ...state, diff: shownAs(state.diff) } : state}
        confirmWith={null}
        slug={slug}
        {...(verb !== undefined && { verb })}
        showAs={<ShowAs request={{ operation: row, input, options: {} }} />}
        onBack={onBack}
        onConfirm={(options) =>
          write.confirm(input, { ...options, ...(expectedRevision !== undefined && { expectedRevision }) })
        }
      />
    )
  const fault = state.step === 'editing' ? state.fault : null
  if (fault === null) return <SkeletonRows rows={6} />
  return (
    <div className="flex flex-col gap-4">
      <FaultBox fault={fault} />
      <div className="flex justify-end">
        <Button onClick={onBack}>Back</Button>
      </div>
    </div>
  )
}
