import type { z } from 'zod'
import { annotatedSchema } from '../model/annotations.ts'
import type { Operation } from '../operations/engine/define.ts'

/** A JSON Schema (2020-12) as plain data. */
export type JsonSchema = { readonly [key: string]: unknown }

/** How a member is written where there is only text: in a query or as a flag. */
export type FieldKind = 'text' | 'integer' | 'number' | 'boolean' | 'list' | 'json'

/** A member of an operation's input, as surfaces without types of their own see it. */
export interface Field {
  readonly name: string
  readonly schema: JsonSchema
  readonly kind: FieldKind
  /** Of a list: the kind of its items. */
  readonly itemKind: FieldKind
  readonly required: boolean
  readonly nullable: boolean
  readonly description: string
  /** Values it may have, where they are listed. */
  readonly choices: readonly string[]
}

/** What may come in, and what goes out. */
interface Schemas {
  readonly input: JsonSchema
  readonly output: JsonSchema
}

const memo = new WeakMap<z.ZodType, Schemas>()

/** The JSON Schemas of a zod schema, each printed when it is first read: most have one reader. */
export function jsonSchemasOf(schema: z.ZodType): Schemas {
  const known = memo.get(schema)
  if (known !== undefined) return known
  const kept: { input?: JsonSchema; output?: JsonSchema } = {}
  const schemas: Schemas = {
    get input() {
      kept.input ??= print(schema, 'input')
      return kept.input
    },
    get output() {
      kept.output ??= print(schema, 'output')
      return kept.output
    },
  }
  memo.set(schema, schemas)
  return schemas
}

function print(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  return annotatedSchema(schema, { io, unrepresentable: 'any' })
}

/** The members of the input, in the order of the schema. */
export function fieldsOf(operation: Operation): readonly Field[] {
  const schema = jsonSchemasOf(operation.input).input
  const required = Array.isArray(schema['required']) ? schema['required'] : []
  return Object.entries(membersOf(schema)).map(([name, member]) =>
    toField(name, member, required.includes(name)),
  )
}

/** The properties of an object schema, or none. */
export function membersOf(schema: JsonSchema): Readonly<Record<string, JsonSchema>> {
  // zod prints properties as an object of schemas; there is no other source of what stands here
  return (schema['properties'] ?? {}) as Record<string, JsonSchema>
}

function toField(name: string, schema: JsonSchema, required: boolean): Field {
  const plain = withoutNull(schema)
  const items = (plain['items'] ?? {}) as JsonSchema
  const kind = kindOf(plain)
  return {
    name,
    schema,
    kind,
    itemKind: kind === 'list' ? kindOf(items) : kind,
    required,
    nullable: plain !== schema,
    description: String(schema['description'] ?? ''),
    choices: choicesOf(kind === 'list' ? items : plain),
  }
}

/** The schema without its null alternative; the very same object when it has none. */
export function withoutNull(schema: JsonSchema): JsonSchema {
  const { type, anyOf } = schema
  if (Array.isArray(type) && type.includes('null')) {
    const rest = type.filter((one) => one !== 'null')
    return { ...schema, type: rest.length === 1 ? rest[0] : rest }
  }
  if (!Array.isArray(anyOf)) return schema
  const rest = (anyOf as JsonSchema[]).filter((one) => one['type'] !== 'null')
  if (rest.length === anyOf.length) return schema
  return rest.length === 1 ? rest[0]! : { ...schema, anyOf: rest }
}

/** How a value of this schema is written as text. A choice between text and something else is text. */
export function kindOf(schema: JsonSchema): FieldKind {
  const plain = withoutNull(schema)
  const { type, anyOf } = plain
  if (type === 'string' || Array.isArray(plain['enum'])) return 'text'
  if (typeof plain['const'] === 'string') return 'text'
  if (type === 'integer' || type === 'number' || type === 'boolean') return type
  if (type === 'array') return kindOf((plain['items'] ?? {}) as JsonSchema) === 'json' ? 'json' : 'list'
  if (Array.isArray(anyOf) && (anyOf as JsonSchema[]).some((one) => kindOf(one) === 'text')) return 'text'
  return 'json'
}

function choicesOf(schema: JsonSchema): readonly string[] {
  const values = Array.isArray(schema['enum']) ? schema['enum'] : 'const' in schema ? [schema['const']] : []
  return values.map(String)
}

/**
 * The value that a text stands for, by kind; undefined when it stands for none. Only canonical numbers count, so
 * that one value has one spelling.
 */
export function fromText(kind: FieldKind, text: string): unknown {
  if (kind === 'text' || kind === 'list') return text
  if (kind === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined
  if (kind === 'integer') {
    const value = /^(0|-?[1-9][0-9]{0,15})$/.test(text) ? Number(text) : undefined
    return Number.isSafeInteger(value) ? value : undefined
  }
  if (kind === 'number')
    return /^-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,15})?$/.test(text) ? Number(text) : undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What a text of this kind looks like, for the message when it does not. */
export const EXPECTED: Readonly<Record<FieldKind, string>> = {
  text: 'a text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  list: 'one value each time it is given',
  json: 'JSON',
}
