import { useEffect, useState } from 'react'
import type { JsonObject } from '../../../build/document.ts'
import { operation } from '../../api/operations.ts'
import { FormBar } from '../../forms/form-bar.tsx'
import { FormFault } from '../../forms/form-fault.tsx'
import { Review } from '../../forms/operation-form.tsx'
import { sayStored } from '../../forms/say-stored.ts'
import { SchemaForm } from '../../forms/schema-form.tsx'
import { errorsOf, useWrite } from '../../forms/use-write.ts'
import { WaitsFor } from '../../forms/waits-for.tsx'
import { Button } from '../../kit/button.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { useLeaveGuard } from '../../kit/leave-guard.ts'
import type { Field } from '../../schema/fields.ts'
import { isEqual } from '../../schema/value.ts'
import { ShowAs } from '../../show-as/show-as.tsx'

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
export function ChangeDialog({ title, ...props }: ChangeDialogProps) {
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
