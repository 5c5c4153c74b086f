/** The values of a form, and what the inputs of all its fields derive from them: label, hint, error and attributes. */
import { type ComponentType, createContext, type ReactNode, useContext } from 'react'
import type { Json, JsonObject } from '../../build/document.ts'
import { describedBy, Labeled } from '../kit/controls.tsx'
import type { Field } from '../schema/fields.ts'
import { at, isEqual, type Path, pointerOf, readingOf } from '../schema/value.ts'

export interface EditorProps<F extends Field = Field> {
  readonly field: F
  readonly path: Path
}

/** Fields that are made by hand, by the member of the resource that they edit. */
export type OwnFields = Readonly<Record<string, ComponentType<EditorProps>>>

interface FormState {
  readonly value: JsonObject
  /** As loaded, of a form that edits; otherwise null. */
  readonly loaded: JsonObject | null
  readonly set: (path: Path, next: Json | undefined) => void
  /** What the server, or the form itself, finds wrong, by JSON pointer. */
  readonly errors: Readonly<Record<string, string>>
  readonly isReadOnly: boolean
  /** Members that are read-only in a form that is not. */
  readonly readOnly: readonly string[]
  /** Before the ids of inputs, so that two forms of a page do not meet. */
  readonly prefix: string
}

const Context = createContext<FormState | null>(null)
export const FormProvider = Context.Provider

/** True if the value at a pointer, or something in it, is at fault. */
export function hasFault(errors: Readonly<Record<string, string>>, pointer: string): boolean {
  return Object.keys(errors).some((one) => one === pointer || one.startsWith(`${pointer}/`))
}

/** The member of the form at a path. */
export function useMember(path: Path) {
  const form = useContext(Context)
  if (form === null) throw new Error('useMember outside of a form')
  const pointer = pointerOf(path)
  const value = at(form.value, path)
  return {
    id: form.prefix + pointer,
    value,
    error: form.errors[pointer] ?? null,
    /** True if a value within, or something in it, is at fault. */
    isFaulty: (inner: Path) => hasFault(form.errors, pointerOf([...path, ...inner])),
    loaded: form.loaded === null ? undefined : at(form.loaded, path),
    isReadOnly: form.isReadOnly || form.readOnly.includes(String(path[0])),
    isChanged: form.loaded !== null && !isEqual(at(form.loaded, path), value),
    set: (next: Json | undefined) => form.set(path, next),
    setAt: (inner: Path, next: Json | undefined) => form.set([...path, ...inner], next),
  }
}

// What the inputs of all fields share: label, hint and error, and the attributes that follow from them.

export type Of<K extends Field['kind']> = Extract<Field, { kind: K }>

/** What an input without a value shows in its place. Texts and numbers have their default as their value. */
export function placeholderOf(field: Field): string {
  const { default: usual } = field
  if (usual === undefined || usual === null || usual === '') return field.nullable ? 'not set' : ''
  return typeof usual === 'object' ? JSON.stringify(usual) : String(usual)
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
