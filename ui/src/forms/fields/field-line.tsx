/** What the inputs of all fields share: label, hint and error, and the attributes that follow from them. */
import type { ReactNode } from 'react'
import type { Json } from '../../../build/document.ts'
import { describedBy, Labeled } from '../../kit/inputs.tsx'
import type { Field } from '../../schema/fields.ts'
import { readingOf } from '../../schema/reading.ts'
import type { Path } from '../../schema/value.ts'
import { type EditorProps, useMember } from '../form-state.tsx'

export type Of<K extends Field['kind']> = Extract<Field, { kind: K }>

/** What an input without a value shows in its place. */
export function placeholderOf(field: Field): string {
  if (field.default === undefined || field.default === null || field.default === '')
    return field.nullable ? 'not set' : ''
  return `default: ${typeof field.default === 'string' ? field.default : JSON.stringify(field.default)}`
}

/** A cleared member: null if the schema has it, otherwise absent. */
export function cleared(field: Field): Json | undefined {
  return field.nullable ? null : undefined
}

/** A field with label, hint and error around its input. */
export function Line({ field, path, children }: EditorProps & { children: ReactNode }) {
  const { id, error, isChanged } = useMember(path)
  return (
    <Labeled
      id={id}
      label={field.label}
      hint={field.description}
      error={error}
      isRequired={field.required && !field.nullable}
      isChanged={isChanged}
    >
      {children}
    </Labeled>
  )
}

/** The member at a path, and what its input says of it to assistive technology. */
export function useInput(field: Field, path: Path) {
  const member = useMember(path)
  const attributes = {
    id: member.id,
    disabled: member.isReadOnly,
    'aria-invalid': member.error !== null || undefined,
    'aria-describedby': describedBy(member.id, field.description, member.error),
    'aria-required': field.required || undefined,
  }
  return { ...member, attributes }
}

/** Hint and error of a fieldset, which has no line of its own. */
export function Notes({ field, path }: EditorProps) {
  const { id, error } = useMember(path)
  return (
    <>
      {field.description !== '' && (
        <p id={`${id}-hint`} className="text-sm break-words text-muted">
          {field.description}
        </p>
      )}
      {error !== null && (
        <p id={`${id}-error`} className="text-sm text-bad">
          {error}
        </p>
      )}
    </>
  )
}

/** An input with its value in words beside it, where that says more. */
export function WithReading({
  unit,
  value,
  children,
}: {
  unit: string | null
  value: unknown
  children: ReactNode
}) {
  const reading = readingOf(unit, value)
  return (
    <div className="flex items-center gap-2">
      {children}
      {reading !== null && <span className="text-sm whitespace-nowrap text-muted">{reading}</span>}
    </div>
  )
}
