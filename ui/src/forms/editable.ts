/** What the edit form of a resource shows, and what it may change. */
import type { JsonObject, ResourceSchemas } from '../../build/document.ts'
import { operation } from '../api/operations.ts'
import { type Field, fieldsOf } from '../schema/fields.ts'

export interface Editable {
  /** Members of the input that replaces the resource; of the one that updates it if it cannot be replaced. */
  readonly fields: readonly Field[]
  /** Their values as loaded. */
  readonly start: JsonObject
  /** Names of the fields that are shown and never changed. */
  readonly fixed: readonly string[]
}

export function editableOf(resource: string, loaded: JsonObject, schemas: ResourceSchemas): Editable {
  const { actions, $defs } = schemas
  const shape = actions[operation(`${resource}.put`) === null ? 'update' : 'put']!.input
  const fields = fieldsOf(shape, $defs).filter(({ name }) => name !== 'id')
  const changing = fieldsOf(actions['update']!.input, $defs).map(({ name }) => name)
  return {
    fields,
    start: only(
      loaded,
      fields.map(({ name }) => name),
    ),
    fixed: fields.filter(({ name, isFixed }) => isFixed || !changing.includes(name)).map(({ name }) => name),
  }
}

/** The value without a member. */
export function without(value: JsonObject, name: string): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([one]) => one !== name))
}

/** The members of a value that have these names. */
export function only(value: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(
    names.filter((name) => Object.hasOwn(value, name)).map((name) => [name, value[name]!]),
  )
}
