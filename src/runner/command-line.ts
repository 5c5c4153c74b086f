/**
 * The arguments of a program: fixed texts in which `{parameter}` stands for a value that the caller gives.
 *
 * 1. A value never becomes more than the part of one argument that it stands in: no shell reads it.
 * 2. Each value fits the parameter's `pattern` or `enum` as a whole, or, without both, a plain name.
 * 3. A value that comes first in its argument does not begin with `-`, unless `enum` lists it: it cannot become an option.
 */

import { pointerTo } from '../base/json/storable.ts'
import type { FieldError } from '../base/refusal.ts'
import { linearPattern } from '../base/text/patterns.ts'
import { type EntrySpec, type ParameterSpec, wholly } from './file-schema.ts'

/** Characters of a value. */
const VALUE_CHARS_MAX = 1024
/** What a parameter without `pattern` and `enum` takes: no path and no option. */
const PLAIN_VALUE = /^[A-Za-z0-9_@+][A-Za-z0-9._@:+-]{0,255}$/

const PLACEHOLDER = /\{([a-z][a-z0-9_]{0,31})\}/g

/** Names of the parameters that a text uses, in their order. */
export function placeholdersIn(text: string): string[] {
  return [...text.matchAll(PLACEHOLDER)].map(([, name]) => name!)
}

export type FilledArguments =
  | { readonly args: readonly string[] }
  /** Pointers into the object of values. */
  | { readonly errors: readonly FieldError[] }

/**
 * The arguments of an entry with the values of its parameters. An argument with a parameter that is optional and absent
 * is left out.
 * @param values as the caller sent them, of any type.
 */
export function fillArguments(
  { args, parameters }: Pick<EntrySpec, 'args' | 'parameters'>,
  values: Readonly<Record<string, unknown>>,
): FilledArguments {
  const errors: FieldError[] = []
  for (const name of Object.keys(values))
    if (!Object.hasOwn(parameters, name))
      errors.push({ pointer: pointerTo('', name), reason: 'the entry has no such parameter' })
  const given = new Map<string, string>()
  for (const [name, parameter] of Object.entries(parameters)) {
    const value = Object.hasOwn(values, name) ? values[name] : undefined
    const reason = faultOfValue(parameter, value)
    if (reason !== null) errors.push({ pointer: pointerTo('', name), reason })
    else if (value !== undefined) given.set(name, value as string)
  }
  if (errors.length > 0) return { errors }
  const filled: string[] = []
  for (const arg of args) {
    if (placeholdersIn(arg).some((name) => !given.has(name))) continue
    const text = arg.replaceAll(PLACEHOLDER, (_, name: string) => given.get(name)!)
    const first = /^\{([a-z][a-z0-9_]{0,31})\}/.exec(arg)?.[1]
    if (first !== undefined && text.startsWith('-') && parameters[first]!.enum === undefined)
      return {
        errors: [{ pointer: pointerTo('', first), reason: 'must not begin with -: it would be an option' }],
      }
    filled.push(text)
  }
  return { args: filled }
}

/** Why a value does not fit its parameter; null when it does. Never repeats the value. */
function faultOfValue({ pattern, enum: values, required }: ParameterSpec, value: unknown): string | null {
  if (value === undefined) return required ? 'required' : null
  if (typeof value !== 'string') return 'must be a string'
  if (value.length > VALUE_CHARS_MAX) return `must have at most ${VALUE_CHARS_MAX} characters`
  if (/[\0-\x1f\x7f]/.test(value) || !value.isWellFormed()) return 'must not contain control characters'
  if (values !== undefined) return values.includes(value) ? null : 'must be one of the values of the entry'
  if (pattern !== undefined)
    return linearPattern(wholly(pattern))!.test(value) ? null : 'must match the pattern of the entry'
  return PLAIN_VALUE.test(value) ? null : 'must be a plain name (letters, digits and . _ @ : + -)'
}
