/** Schemas of parameters: of one, and of all arguments of a tool within one bound. */
import { isPlain, type Plain } from '../../base/json/storable.ts'
import type { JsonSchema, Parameter } from '../../model/api/proxy.ts'
import { boundedSchema } from '../schema/bounded.ts'
import { bytesOf, shorten } from '../schema/read-schema.ts'

/** Bytes of all arguments but the body, of one, and of one for which little is left. */
const ARGUMENTS_BYTES_MAX = 16 * 1024
const ARGUMENT_BYTES_MAX = 4 * 1024
const SCARCE_BYTES_MAX = 160
/** Characters of a description; model APIs refuse longer ones. */
export const DESCRIPTION_CHARS_MAX = 1024
const SCARCE_CHARS_MAX = 100
/** Bytes around a property and its name. */
const AROUND_BYTES = 2

/** An argument of a tool: what it is called there and is told of it. */
export interface Argument {
  readonly name: string
  readonly parameter: Parameter
  readonly description: string
}

export interface ArgumentSchemas {
  readonly properties: Plain
  /** Of the properties. */
  readonly required: readonly string[]
  /** Names of arguments that did not fit in the bound; a call may have them. */
  readonly omitted: readonly string[]
}

/** Schemas of arguments, in their order. Where they do not all fit, those that a call needs come first, the later ones with less detail. */
export function argumentSchemas(all: readonly Argument[], shared: Plain): ArgumentSchemas {
  let left = ARGUMENTS_BYTES_MAX
  const found = new Map<string, Plain>()
  for (const argument of all.toSorted(
    (a, b) => Number(b.parameter.required) - Number(a.parameter.required),
  )) {
    const { name } = argument
    const costOf = (schema: Plain): number => bytesOf(name) + bytesOf(schema) + AROUND_BYTES
    const full = argumentSchema(argument, shared, ARGUMENT_BYTES_MAX, DESCRIPTION_CHARS_MAX)
    const schema =
      costOf(full) <= left ? full : argumentSchema(argument, shared, SCARCE_BYTES_MAX, SCARCE_CHARS_MAX)
    if (costOf(schema) > left) continue
    left -= costOf(schema)
    found.set(name, schema)
  }
  const shown = all.filter(({ name }) => found.has(name))
  return {
    properties: Object.fromEntries(shown.map(({ name }) => [name, found.get(name)])),
    required: shown.filter(({ parameter }) => parameter.required).map(({ name }) => name),
    omitted: all.filter(({ name }) => !found.has(name)).map(({ name }) => name),
  }
}

function argumentSchema(
  { parameter, description }: Argument,
  shared: Plain,
  bytesMax: number,
  charsMax: number,
): Plain {
  const bounded = boundedSchema(schemaOfParameter(parameter), shared, bytesMax)
  const schema = isPlain(bounded) ? bounded : {}
  return description === '' ? schema : { ...schema, description: shorten(description, charsMax) }
}

type Typed = Pick<Parameter, 'type' | 'schema' | 'enum' | 'pattern' | 'min' | 'max' | 'default'>

/**
 * The schema of a parameter: its own, or one that says what is checked of a parameter that has a type alone. The bounds of a text
 * are of its characters, those of a list are of its items, of which each is checked by `enum` and `pattern`.
 */
export function schemaOfParameter(parameter: Typed): JsonSchema {
  const { default: otherwise } = parameter
  const schema = parameter.schema ?? checked(parameter)
  return otherwise === undefined || !isPlain(schema) ? schema : { ...schema, default: otherwise }
}

function checked({ type, enum: values, pattern, min, max }: Typed): JsonSchema {
  if (type === 'object') return { type }
  const isList = type === 'array'
  const item = {
    ...(values === undefined ? {} : { enum: isList ? values.flat() : values }),
    // An expression says nothing of numbers (JSON Schema 2020-12, section 6.3.3)
    ...(pattern === undefined || !(isList || type === 'string') ? {} : { pattern }),
  }
  const [least, most] = BOUNDS[type] ?? (['minimum', 'maximum'] as const)
  const bounds = {
    ...(min === undefined ? {} : { [least]: min }),
    ...(max === undefined ? {} : { [most]: max }),
  }
  return isList ? { type, items: item, ...bounds } : { type, ...item, ...bounds }
}

const BOUNDS: Partial<Record<Parameter['type'], readonly [least: string, most: string]>> = {
  string: ['minLength', 'maxLength'],
  array: ['minItems', 'maxItems'],
}
