import type { JsonObject, ResourceSchemas } from '../../build/document.ts'
import { type Field, fieldsOf, labelOf, refsOf, resolve } from './fields.ts'
import { isObject } from './value.ts'

/** Shown in the column of the name. */
const NAMES = ['name', 'slug', 'email', 'title']
/** Shown by a table if the document does not say which members its columns are. */
const USUAL = [
  'collection',
  'client',
  'kind',
  'type',
  'methods',
  'path',
  'base_path',
  'url',
  'status',
  'state',
  'active',
  'tags',
  'updated_at',
]
const COLUMNS_MAX = 6

export interface Column {
  /** Member of the item, or of an object within it: `actor.name`. */
  readonly name: string
  readonly label: string
  /** Pixels that its values take; null for texts of any length, which share the rest. */
  readonly width: number | null
  readonly isNumber: boolean
}

/** Schema of the items of a list, or null if the operation does not answer one. */
function itemSchema({ actions, $defs }: ResourceSchemas, action = 'list'): JsonObject | null {
  const output = actions[action]?.output
  if (output === undefined) return null
  const properties = resolve(output, $defs)['properties']
  const items = isObject(properties) ? properties['items'] : undefined
  const item = isObject(items) ? items['items'] : undefined
  return isObject(item) ? resolve(item, $defs) : null
}

/** Columns of the table of a resource: those that the document numbers, else the usual ones. The first one names the item. */
export function columnsOf(schemas: ResourceSchemas, action = 'list'): readonly Column[] {
  const item = itemSchema(schemas, action)
  const properties = item?.['properties']
  if (!isObject(properties)) return []
  const members = Object.entries(properties).flatMap(([name, member]) => membersOf(name, member))
  const numbered = members
    .filter(({ order }) => order !== null)
    .sort((one, other) => one.order! - other.order!)
    .map(({ name }) => name)
  const usual = USUAL.filter((name) => Object.hasOwn(properties, name)).slice(0, COLUMNS_MAX - 1)
  const first = NAMES.find((name) => Object.hasOwn(properties, name)) ?? 'id'
  const names = numbered.length > 0 ? namedFirst(numbered) : [first, ...usual]
  return names.map((name) => {
    const schema = members.find((member) => member.name === name)?.schema ?? {}
    const label = headOf(name)
    const { width, isNumber } = sizeOf(name, resolve(schema, schemas.$defs))
    return { name, label, width: width === null ? null : Math.max(width, headWidth(label)), isNumber }
  })
}

/** Of the letters of a head, with the padding of its cell, pixels. */
function headWidth(label: string): number {
  return Math.ceil(label.length * HEAD_LETTER) + HEAD_PADDING
}

/** A member, or the marked members of an object in any of its forms. */
function membersOf(
  name: string,
  member: JsonObject[string],
): { name: string; schema: JsonObject; order: number | null }[] {
  if (!isObject(member)) return []
  const forms = [member, ...[member['anyOf'], member['oneOf']].flat()].filter((one) => isObject(one))
  const inner = Object.assign({}, ...forms.map((one) => one['properties']).filter((one) => isObject(one)))
  const marked = Object.entries(inner).flatMap(([step, one]) => (isObject(one) ? [{ step, one }] : []))
  const orderOf = (one: JsonObject): number | null =>
    typeof one['x-postern-column'] === 'number' ? one['x-postern-column'] : null
  return [
    { name, schema: member, order: orderOf(member) },
    ...marked
      .filter(({ one }) => orderOf(one) !== null)
      .map(({ step, one }) => ({ name: `${name}.${step}`, schema: one, order: orderOf(one) })),
  ]
}

/** People look for names: a slug comes after the name, and an id, which names nothing to them, comes last. */
function namedFirst(names: readonly string[]): readonly string[] {
  const rank = (name: string): number =>
    name === 'id' ? 2 : name === 'name' && names.includes('slug') ? 0 : 1
  return names.toSorted((one, other) => rank(one) - rank(other))
}

function headOf(name: string): string {
  const [first = name, ...rest] = name.split('.')
  return labelOf(
    rest.every((step) => step === 'name' || step === 'slug') ? first : [first, ...rest].join('_'),
  )
}

const ID_WIDTH = 272
const TIME_WIDTH = 128
const WORD_WIDTH = 120
const HEAD_LETTER = 7.2
const HEAD_PADDING = 24

function sizeOf(name: string, given: JsonObject): Pick<Column, 'width' | 'isNumber'> {
  const branches = given['anyOf']
  const schema =
    Array.isArray(branches) && branches.length === 2
      ? (branches.find((one): one is JsonObject => isObject(one) && one['type'] !== 'null') ?? given)
      : given
  const type = [schema['type']].flat().find((one) => one !== 'null')
  if (type === 'integer' || type === 'number') return { width: WORD_WIDTH, isNumber: true }
  if (name === 'id') return { width: ID_WIDTH, isNumber: false }
  if (schema['format'] === 'date-time' || /(?:_at|^time)$/.test(name))
    return { width: TIME_WIDTH, isNumber: false }
  const isShort = type === 'boolean' || Array.isArray(schema['enum'])
  return { width: isShort ? WORD_WIDTH : null, isNumber: false }
}

/** Tells of a published item that a draft of it waits. The draft itself may be large. */
const DRAFT = 'pending_draft.status'

/** What a table asks of each item: its columns, what identifies it, whether a draft of it waits, and `further` members. */
export function askedOf(
  schemas: ResourceSchemas,
  columns: readonly Column[],
  further: readonly string[] = [],
): string {
  const properties = itemSchema(schemas)?.['properties']
  const known = isObject(properties) ? properties : {}
  const names = ['id', 'slug', ...columns.map(({ name }) => name), ...further, DRAFT]
  return [...new Set(names)].filter((name) => Object.hasOwn(known, name.split('.')[0]!)).join(',')
}

/** The resources that members of the items of a list name, by member. */
export function itemRefsOf(schemas: ResourceSchemas, action = 'list'): Readonly<Record<string, string>> {
  const item = itemSchema(schemas, action)
  return item === null ? {} : refsOf(fieldsOf(item, schemas.$defs))
}

/** Parameters of a list that narrow it: not those that page, order or shape the answer. */
const SHAPING = ['limit', 'cursor', 'order', 'fields', 'expand', 'text']

export function filtersOf(schemas: ResourceSchemas, action = 'list'): readonly Field[] {
  const input = schemas.actions[action]?.input
  if (input === undefined) return []
  return fieldsOf(input, schemas.$defs).filter(({ name }) => !SHAPING.includes(name))
}

/** The parameter by which a list is ordered, if it can be chosen. */
export function orderOf({ actions, $defs }: ResourceSchemas, action = 'list'): Field | undefined {
  const input = actions[action]?.input
  return input === undefined ? undefined : fieldsOf(input, $defs).find(({ name }) => name === 'order')
}

/** True if the list takes the parameter. */
export function takes(schemas: ResourceSchemas, parameter: string, action = 'list'): boolean {
  const properties = schemas.actions[action]?.input['properties']
  return isObject(properties) && Object.hasOwn(properties, parameter)
}
