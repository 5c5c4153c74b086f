import { type ComponentType, createContext, useContext } from 'react'
import type { Json, JsonObject } from '../../build/document.ts'
import type { Field } from '../schema/fields.ts'
import { at, isEqual, type Path, pointerOf } from '../schema/value.ts'

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
