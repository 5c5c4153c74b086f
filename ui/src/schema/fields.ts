/** Fields of a form, read from a JSON Schema of the management API. A schema that no field fits becomes a field for JSON text. */
import type { Json, JsonObject } from '../../build/document.ts'
import { isObject } from './value.ts'

interface Base {
  readonly name: string
  /** Title for people: the name with spaces. */
  readonly label: string
  readonly description: string
  readonly required: boolean
  /** `null` is a value, shown as "not set". */
  readonly nullable: boolean
  /** What the server uses if the member is absent; undefined if the schema does not tell. It is shown and never sent. */
  readonly default: Json | undefined
  /** Section of the form, or null. */
  readonly section: string | null
  /** Chosen once: a stored resource keeps it. */
  readonly isFixed: boolean
}

export type Field = Base &
  (
    | {
        readonly kind: 'text'
        readonly format: TextFormat
        readonly maxLength: number | null
        readonly pattern: string | null
        /** Resource that the text names, such as `credentials`. */
        readonly ref: string | null
        /** What the text means, such as `duration`, or null. */
        readonly unit: string | null
      }
    | {
        readonly kind: 'number'
        readonly isInteger: boolean
        readonly min: number | null
        readonly max: number | null
        readonly unit: string | null
      }
    | { readonly kind: 'switch' }
    | { readonly kind: 'choice'; readonly values: readonly string[] }
    | { readonly kind: 'choices'; readonly values: readonly string[] }
    /** Texts, one in a line. */
    | { readonly kind: 'texts'; readonly ref: string | null }
    /** A secret text, or the source that it is read from. */
    | { readonly kind: 'secret'; readonly sources: boolean }
    | { readonly kind: 'group'; readonly fields: readonly Field[] }
    | { readonly kind: 'list'; readonly item: Field }
    | { readonly kind: 'map'; readonly item: Field }
    /** One of several objects, told apart by the member `tag`. */
    | { readonly kind: 'variant'; readonly tag: string; readonly variants: readonly Variant[] }
    | { readonly kind: 'json' }
  )

interface Variant {
  readonly value: string
  readonly description: string
  /** Without the tag. */
  readonly fields: readonly Field[]
}

type TextFormat = 'line' | 'area' | 'time' | 'email' | 'url'

/** Deeper than this, a value is edited as JSON. */
const DEPTH_MAX = 4
const AREA_LENGTH = 1000
/** Texts of these units have several lines. */
const AREA_UNITS = ['markdown', 'pem']

interface Place {
  readonly $defs: Readonly<Record<string, JsonObject>>
  readonly depth: number
  readonly hint: typeof hintOf
  /** Labels of the members of the object around, by name. */
  readonly labels: Readonly<Record<string, string>>
}

/**
 * Fields of the members of an object schema, in the order of the schema.
 * @param hint makes the hint of a field from its description. Default: for descriptions of the management API
 */
export function fieldsOf(
  schema: JsonObject,
  $defs: Readonly<Record<string, JsonObject>>,
  hint: Place['hint'] = hintOf,
): readonly Field[] {
  return membersOf(resolve(schema, $defs), { $defs, depth: 0, hint, labels: {} })
}

function membersOf(schema: JsonObject, place: Place): Field[] {
  const required = Array.isArray(schema['required']) ? schema['required'] : []
  const members = Object.entries(objectOr(schema['properties']))
  const labels = Object.fromEntries(members.map(([name]) => [name, inSentence(labelOf(name))]))
  return members.map(([name, member]) =>
    fieldOf(name, objectOr(member), required.includes(name), { ...place, labels }),
  )
}

function objectOr(value: Json | undefined): JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as JsonObject) : {}
}

function listOf(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.map((one) => objectOr(one)) : []
}

function textOf(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null
}

function numberOf(value: Json | undefined): number | null {
  return typeof value === 'number' ? value : null
}

/** Follows a reference; what stands beside it, such as a description, wins. */
export function resolve(schema: JsonObject, $defs: Readonly<Record<string, JsonObject>>): JsonObject {
  const reference = textOf(schema['$ref'])
  if (reference === null) return schema
  const target = $defs[reference.slice('#/$defs/'.length)]
  if (target === undefined) return {}
  const { $ref: _, ...beside } = schema
  return { ...resolve(target, $defs), ...beside }
}

const isNull = (schema: JsonObject): boolean => schema['type'] === 'null'

/** The schema without its `null`, and whether it had one. */
function withoutNull(schema: JsonObject, $defs: Place['$defs']): { schema: JsonObject; nullable: boolean } {
  const { type } = schema
  if (Array.isArray(type) && type.includes('null')) {
    const rest = type.filter((one) => one !== 'null')
    return { schema: { ...schema, type: rest.length === 1 ? rest[0]! : rest }, nullable: true }
  }
  for (const word of ['anyOf', 'oneOf'] as const) {
    const branches = listOf(schema[word])
    if (!branches.some(isNull)) continue
    const rest = branches.filter((one) => !isNull(one))
    const { [word]: _, ...beside } = schema
    if (rest.length === 1) return { schema: { ...resolve(rest[0]!, $defs), ...beside }, nullable: true }
    return { schema: { ...beside, [word]: rest }, nullable: true }
  }
  return { schema, nullable: false }
}

export function labelOf(name: string): string {
  const words = name.replaceAll('_', ' ').replaceAll('-', ' ')
  const spelled = words
    .replace(/\b(id|url|uri|ip|mcp|http|ca|crl|tls|jwt|jwks|cors|api|ttl|json|ui|oidc)\b/g, (word) =>
      word.toUpperCase(),
    )
    .replace(/\bmcps\b/, 'MCPs')
    .replace(/\bgraphql\b/, 'GraphQL')
    .replace(/\bx ratelimit\b/, 'X-RateLimit')
  return spelled.charAt(0).toUpperCase() + spelled.slice(1)
}

/** A label within a sentence: `Request schema` is `request schema`, `MCP` and `GraphQL` stay. */
export function inSentence(label: string): string {
  return label.replace(/^[A-Z][a-z]+(?![A-Za-z])/, (word) => word.toLowerCase())
}

function fieldOf(name: string, given: JsonObject, required: boolean, place: Place): Field {
  const { $defs } = place
  const { schema, nullable } = withoutNull(resolve(given, $defs), $defs)
  const description = textOf(schema['description']) ?? ''
  const base: Base = {
    name,
    label: labelOf(name),
    description: place.hint(description, {
      ...wordsOfSwitch(schema, required, nullable),
      labels: place.labels,
    }),
    required,
    nullable,
    default: schema['default'],
    section: textOf(schema['x-postern-section']),
    isFixed: /\bcannot change$/i.test(description),
  }
  return { ...base, ...shapeOf(schema, place) }
}

/** A switch is a box, or a choice of yes and no if it may be left open. */
export function isOpenSwitch(field: Pick<Field, 'required' | 'nullable' | 'default'>): boolean {
  return field.nullable || (field.default === undefined && !field.required)
}

function wordsOfSwitch(
  schema: JsonObject,
  required: boolean,
  nullable: boolean,
): { on: string; off: string } {
  const isOpen = isOpenSwitch({ required, nullable, default: schema['default'] })
  return isOpen ? { on: 'Yes', off: 'No' } : { on: 'On', off: 'Off' }
}

type Shape = Field extends infer F ? (F extends Field ? Omit<F, keyof Base> : never) : never

function shapeOf(schema: JsonObject, place: Place): Shape {
  if (isSecret(schema)) return { kind: 'secret', sources: Array.isArray(schema['anyOf']) }
  const values = enumOf(schema)
  if (values !== null) return { kind: 'choice', values }
  const branches = [...listOf(schema['oneOf']), ...listOf(schema['anyOf'])]
  if (branches.length > 0) return variantOf(branches, place) ?? { kind: 'json' }
  switch (schema['type']) {
    case 'string':
      return textShape(schema)
    case 'integer':
    case 'number':
      return {
        kind: 'number',
        isInteger: schema['type'] === 'integer',
        min: numberOf(schema['minimum']),
        max: numberOf(schema['maximum']),
        unit: textOf(schema['x-postern-unit']),
      }
    case 'boolean':
      return { kind: 'switch' }
    case 'array':
      return listShape(schema, place)
    case 'object':
      return objectShape(schema, place)
    default:
      return { kind: 'json' }
  }
}

function textShape(schema: JsonObject): Shape {
  const maxLength = numberOf(schema['maxLength'])
  const formats: Record<string, TextFormat> = { 'date-time': 'time', email: 'email', uri: 'url' }
  const format = formats[textOf(schema['format']) ?? '']
  const unit = textOf(schema['x-postern-unit'])
  const isLong =
    (maxLength !== null && maxLength > AREA_LENGTH && schema['pattern'] === undefined) ||
    (unit !== null && AREA_UNITS.includes(unit))
  return {
    kind: 'text',
    format: format ?? (isLong ? 'area' : 'line'),
    maxLength,
    pattern: textOf(schema['pattern']),
    ref: textOf(schema['x-postern-ref']),
    unit,
  }
}

function listShape(schema: JsonObject, place: Place): Shape {
  const item = resolve(objectOr(schema['items']), place.$defs)
  const values = enumOf(item)
  if (values !== null) return { kind: 'choices', values }
  if (item['type'] === 'string')
    return { kind: 'texts', ref: textOf(schema['x-postern-ref']) ?? textOf(item['x-postern-ref']) }
  if (place.depth >= DEPTH_MAX) return { kind: 'json' }
  const field = fieldOf('', item, true, { ...place, depth: place.depth + 1 })
  return field.kind === 'json' ? { kind: 'json' } : { kind: 'list', item: field }
}

function objectShape(schema: JsonObject, place: Place): Shape {
  if (place.depth >= DEPTH_MAX) return { kind: 'json' }
  const deeper = { ...place, depth: place.depth + 1 }
  const fields = membersOf(schema, deeper)
  if (fields.length > 0) return { kind: 'group', fields }
  const item = schema['additionalProperties']
  if (item === undefined || typeof item === 'boolean') return { kind: 'json' }
  const field = fieldOf('', objectOr(item), true, deeper)
  return field.kind === 'json' ? { kind: 'json' } : { kind: 'map', item: field }
}

function enumOf(schema: JsonObject): readonly string[] | null {
  const values = schema['enum']
  return Array.isArray(values) && values.every((value) => typeof value === 'string')
    ? (values as readonly string[])
    : null
}

/** A text, or an object that names its source. */
function isSecret(schema: JsonObject): boolean {
  if (schema['x-postern-secret'] === true) return true
  const branches = listOf(schema['anyOf'])
  const hasMember = (one: JsonObject, name: string): boolean =>
    objectOr(one['properties'])[name] !== undefined
  return (
    branches.some((one) => one['type'] === 'string') &&
    branches.some((one) => one['type'] === 'object' && hasMember(one, 'value'))
  )
}

function variantOf(branches: readonly JsonObject[], place: Place): Shape | null {
  if (place.depth >= DEPTH_MAX) return null
  const resolved = branches.map((one) => resolve(one, place.$defs))
  const constants = resolved.map((one) =>
    Object.entries(objectOr(one['properties'])).filter(
      ([, member]) => typeof objectOr(member)['const'] === 'string',
    ),
  )
  const tag = constants[0]?.find(([name]) =>
    constants.every((one) => one.some(([other]) => other === name)),
  )?.[0]
  if (tag === undefined) return null
  const deeper = { ...place, depth: place.depth + 1 }
  const variants = resolved.map((one) => {
    const member = objectOr(objectOr(one['properties'])[tag])
    return {
      value: String(member['const']),
      description: place.hint(textOf(member['description']) ?? textOf(one['description']) ?? '', {
        ...wordsOfSwitch({}, true, false),
        labels: place.labels,
      }),
      fields: membersOf(one, deeper).filter((field) => field.name !== tag),
    }
  })
  return { kind: 'variant', tag, variants }
}

/** The resources that the members of an object name, by member: `{ policy: 'policies' }`. */
export function refsOf(fields: readonly Field[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    fields.flatMap((field) =>
      (field.kind === 'text' || field.kind === 'texts') && field.ref !== null
        ? [[field.name, field.ref]]
        : [],
    ),
  )
}

/** Members of an object that are written in Markdown. */
export function markdownOf(fields: readonly Field[]): readonly string[] {
  return fields.flatMap((field) => (field.kind === 'text' && field.unit === 'markdown' ? [field.name] : []))
}

// Descriptions of the management API, as hints of a form. The API speaks of JSON (`null: never`, `such as ["a"]`); a form has switches,
// inputs that are "not set", and lists with one text in a line.

interface Words {
  /** What the form calls true and false, such as `On` and `Off`. */
  readonly on: string
  readonly off: string
  /** Labels of the members beside it, by name. */
  readonly labels: Readonly<Record<string, string>>
}

/** Descriptions that say no more than the label does. */
const NOTHING = ['Display name', 'The new state as a boolean']

export function hintOf(description: string, { on, off, labels }: Words): string {
  if (NOTHING.includes(description)) return ''
  return (
    withoutJson(description)
      .replaceAll(/`([^`]+)`/g, (_, quoted: string) => labels[quoted] ?? quoted)
      .replace(/^Markdown$/, 'Markdown is shown as formatted text')
      // The form has a choice of sources
      .replace(/: the text, or its source: .*?(?=\. |$)/, '')
      .replace(/^(.+) when absent$/, (_, usual: string) => `Default: ${lowerFirst(usual)}`)
      .replaceAll(/\bwhen null\b/g, 'if not set')
      .replaceAll(/\bnull is\b/g, 'not set:')
      .replaceAll(/(^|\. )(?:null|Absent):/g, '$1Not set:')
      .replaceAll(/\bnull:/g, 'not set:')
      .replaceAll('[]:', 'empty:')
      .replaceAll('{} ', 'empty ')
      .replaceAll(/(^|\. )true:/g, `$1${on}:`)
      .replaceAll(/(^|\. )false:/g, `$1${off}:`)
      // A switch shows its default
      .replace(/(?:^|\. )Default (?:true|false)$/, '')
  )
}

function lowerFirst(text: string): string {
  return text.replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase())
}

/** Examples in JSON are left out; of a list of texts, the texts stay. */
function withoutJson(text: string): string {
  const lead = /[,.]? (?:such as|or) (?=[[{])|: (?=[[{])/i.exec(text)
  if (lead === null) return text
  const start = lead.index + lead[0].length
  const found = jsonAt(text, start)
  if (found === null) return text.slice(0, start) + withoutJson(text.slice(start))
  const { value, end } = found
  const texts = Array.isArray(value) && value.every((one) => typeof one === 'string') ? value : null
  const shown = texts === null ? '' : lead[0] + texts.join(', ')
  return text.slice(0, lead.index) + shown + withoutJson(text.slice(end))
}

/** The JSON that begins at a place of a text; null if none does. */
function jsonAt(text: string, start: number): { readonly value: Json; readonly end: number } | null {
  for (let end = start + 1; end <= text.length; end++) {
    if (!/[\]}]/.test(text[end - 1]!)) continue
    try {
      return { value: JSON.parse(text.slice(start, end)) as Json, end }
    } catch {
      // The bracket belongs to something within
    }
  }
  return null
}

/**
 * Fields of an operation that changes a part of a resource, without those of other types: a bearer credential is rotated by its token,
 * not by a password. The type itself stays as it is.
 * @param whole fields by which the resource is created
 * @param stored the resource
 */
export function ofStoredType(
  fields: readonly Field[],
  whole: readonly Field[],
  stored: JsonObject,
): readonly Field[] {
  return fields.map((field) => {
    const form = whole.find(({ name }) => name === field.name)
    const value = stored[field.name]
    if (field.kind !== 'group' || form?.kind !== 'variant' || !isObject(value)) return field
    const variant = form.variants.find((one) => one.value === value[form.tag])
    if (variant === undefined) return field
    const names = new Set(variant.fields.map(({ name }) => name))
    return { ...field, fields: field.fields.filter(({ name }) => name !== form.tag && names.has(name)) }
  })
}
