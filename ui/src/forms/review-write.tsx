import { type ReactNode, useEffect, useRef } from 'react'
import type { Answer, DiffEntry } from '../api/client.ts'
import type { OperationRow } from '../api/use-call.ts'
import { Button } from '../kit/button.tsx'
import { FaultBox, SkeletonRows } from '../kit/states.tsx'
import { ShowAs } from '../show-as/show-as.tsx'
import { Review, useWrite, type WriteInput } from './operation-form.tsx'
import { sayStored } from './say-stored.ts'
import { WaitsFor } from './waits-for.tsx'

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
}

/** A write whose input is complete: its difference at once, then the confirmation. */
export function ReviewWrite(props: ReviewWriteProps) {
  const { row, input, slug, expectedRevision, done, onBack, onDone, conflict } = props
  const { shownAs = (diff) => diff, verb, onWaiting } = props
  const write = useWrite(row)
  const { state } = write
  const first = useRef(write)
  useEffect(() => {
    first.current.review(input).catch(() => {})
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
