import { pointerTo } from '../../base/json/plain.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
import { toWriteOptions, WriteOptionsInput, writeOptionNames } from '../../operations/engine/call.ts'
import type { Operation } from '../../operations/engine/define.ts'
import type { WriteOptions } from '../../operations/engine/write-options.ts'
import { isPaged, LIST_LIMIT } from './bounded.ts'
import { type Property, publishInput } from './published.ts'

/** What a tool of the operation takes: its own input, and the options of a write beside it. */
export function argumentProperties(operation: Operation): Readonly<Record<string, Property>> {
  const { properties } = publishInput(operation.input)
  const options = publishInput(WriteOptionsInput).properties
  return {
    ...properties,
    ...(isPaged(operation) ? { limit: { ...properties['limit'], default: LIST_LIMIT } } : {}),
    ...Object.fromEntries(writeOptionNames(operation).map((name) => [name, options[name]!])),
  }
}

/**
 * Tells options from input. Refuses with input_invalid for options of the wrong form, and for names that are
 * neither: a misspelt one must not be dropped silently. An option that is null counts as absent.
 */
export function splitArguments(
  operation: Operation,
  given: Readonly<Record<string, unknown>>,
): { readonly input: Readonly<Record<string, unknown>>; readonly options: WriteOptions } {
  const names: readonly string[] = writeOptionNames(operation)
  const { shape } = operation.input
  const catchall = operation.input.def.catchall
  const open = catchall !== undefined && catchall._zod.def.type !== 'never'
  const entries = Object.entries(given)
  const unknown = entries.filter(([name]) => !names.includes(name) && !open && !Object.hasOwn(shape, name))
  if (unknown.length > 0)
    throw inputInvalid(
      unknown.slice(0, 20).map(([name]) => ({
        pointer: pointerTo('', name.slice(0, 64)),
        reason: `no such argument; there are: ${[...Object.keys(shape), ...names].join(', ')}`,
      })),
    )
  return {
    input: Object.fromEntries(entries.filter(([name]) => !names.includes(name))),
    options: toWriteOptions(
      Object.fromEntries(entries.filter(([name, value]) => names.includes(name) && value !== null)),
    ),
  }
}

/** @param errors at least one; the first is the detail. */
export function inputInvalid(errors: readonly FieldError[]) {
  const [first] = errors
  return refuse('input_invalid', { detail: `${first!.pointer}: ${first!.reason}`, errors })
}
