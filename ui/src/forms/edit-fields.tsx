import type { ReactNode } from 'react'
import type { JsonObject } from '../../build/document.ts'
import type { Fault } from '../api/problem.ts'
import { Button } from '../kit/button.tsx'
import { Status } from '../kit/status.tsx'
import type { Editable } from './editable.ts'
import { FormBar } from './form-bar.tsx'
import { FormFault } from './form-fault.tsx'
import type { OwnFields } from './form-state.tsx'
import { SchemaForm } from './schema-form.tsx'
import { errorsOf } from './use-write.ts'

interface EditFieldsProps {
  readonly editable: Editable
  /** Members that are changed elsewhere. */
  readonly hidden: readonly string[]
  readonly own: OwnFields
  readonly value: JsonObject
  readonly onChange: (value: JsonObject) => void
  readonly isDirty: boolean
  /** The server judges the change. */
  readonly isAsking: boolean
  /** Why the server refused the change. */
  readonly fault: Fault | null
  readonly showAs: ReactNode
  readonly onReview: () => void
}

/** The step in which a resource is edited: its fields, whether they differ from what is stored, and the way to the difference. */
export function EditFields(props: EditFieldsProps) {
  const { editable, hidden, own, value, onChange, isDirty, isAsking, fault, showAs, onReview } = props
  const { fields, start, fixed } = editable
  return (
    <form
      className="flex max-w-240 flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        if (isDirty) onReview()
      }}
    >
      <SchemaForm
        fields={fields.filter(({ name }) => !hidden.includes(name))}
        value={value}
        loaded={start}
        onChange={onChange}
        errors={errorsOf(fault)}
        readOnly={fixed}
        own={own}
      />
      <FormFault fault={fault} />
      <FormBar
        isSticky
        aside={
          <>
            {showAs}
            {isDirty && <Status state="changed">Not saved</Status>}
          </>
        }
      >
        <Button disabled={!isDirty} onClick={() => onChange(start)}>
          Undo all
        </Button>
        <Button type="submit" tone="primary" disabled={!isDirty} isBusy={isAsking}>
          Review the change
        </Button>
      </FormBar>
    </form>
  )
}
