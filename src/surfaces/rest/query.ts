import { pointerTo } from '../../base/json/storable.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
import { WriteOptionsInput, writeOptionNames } from '../../operations/engine/call.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { EXPECTED, type Field, fieldsOf, fromText, jsonSchemasOf, kindOf, membersOf } from '../fields.ts'

/** A parameter of the query and how its text is read. */
type Parameter = Pick<Field, 'name' | 'kind' | 'itemKind'>

/** What the query of an operation may hold: the input of a read (without the id in the path), options of a write. */
export function queryParametersOf(operation: Operation, byId: boolean): readonly Parameter[] {
  if (operation.effect === 'read' && operation.posted !== true)
    return fieldsOf(operation).filter((field) => !(byId && field.name === 'id'))
  const members = membersOf(jsonSchemasOf(WriteOptionsInput).input)
  return writeOptionNames(operation).map((name) => {
    const kind = kindOf(members[name] ?? {})
    return { name, kind, itemKind: kind }
  })
}

/**
 * Values out of a query. Lists take one value each time they are given; anything else stands once.
 * Refuses with input_invalid, which lists every parameter that is unknown, repeated or of the wrong form.
 */
export function readQuery(query: URLSearchParams, parameters: readonly Parameter[]): Record<string, unknown> {
  const values = new Map<string, unknown>()
  const errors: FieldError[] = []
  for (const name of new Set(query.keys())) {
    const parameter = parameters.find((one) => one.name === name)
    const texts = query.getAll(name)
    if (parameter === undefined) {
      const known = parameters.map((one) => one.name).join(', ')
      errors.push({ pointer: pointerOf(name), reason: `unknown parameter; there are: ${known || 'none'}` })
      continue
    }
    if (parameter.kind !== 'list' && texts.length > 1) {
      errors.push({ pointer: pointerOf(name), reason: 'given more than once' })
      continue
    }
    const read = texts.map((text) => fromText(parameter.itemKind, text))
    if (read.includes(undefined))
      errors.push({ pointer: pointerOf(name), reason: `must be ${EXPECTED[parameter.itemKind]}` })
    else values.set(name, parameter.kind === 'list' ? read : read[0])
  }
  if (errors.length > 0) {
    const { pointer, reason } = errors[0]!
    throw refuse('input_invalid', { detail: `${pointer}: ${reason}.`, errors })
  }
  return Object.fromEntries(values)
}

/** Cut, since the name is the caller's. */
function pointerOf(name: string): string {
  return pointerTo('', name.slice(0, 100))
}
