import type { JsonObject, ResourceSchemas } from '../../build/document.ts'
import { type Field, fieldsOf, resolve } from './fields.ts'
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
  readonly name: string
  readonly label: string
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
  const numbered = Object.entries(properties)
    .map(([name, member]) => ({ name, order: isObject(member) ? member['x-postern-column'] : undefined }))
    .filter((one): one is { name: string; order: number } => typeof one.order === 'number')
    .sort((a, b) => a.order - b.order)
    .map(({ name }) => name)
  const usual = USUAL.filter((name) => Object.hasOwn(properties, name)).slice(0, COLUMNS_MAX - 1)
  const first = NAMES.find((name) => Object.hasOwn(properties, name)) ?? 'id'
  const names = numbered.length > 0 ? numbered : [first, ...usual]
  return names.map((name) => ({ name, label: name.replaceAll('_', ' ') }))
}

/** What a table asks of each item: its columns, and what identifies it. */
export function askedOf(schemas: ResourceSchemas, columns: readonly Column[], action = 'list'): string {
  const properties = itemSchema(schemas, action)?.['properties']
  const known = isObject(properties) ? properties : {}
  const names = ['id', 'slug', ...columns.map(({ name }) => name)]
  return [...new Set(names)].filter((name) => Object.hasOwn(known, name.split('.')[0]!)).join(',')
}

/** Parameters of a list that narrow it: not those that page, order or shape the answer. */
const SHAPING = ['limit', 'cursor', 'order', 'fields', 'expand', 'text']

export function filtersOf(schemas: ResourceSchemas, action = 'list'): readonly Field[] {
  const input = schemas.actions[action]?.input
  if (input === undefined) return []
  return fieldsOf(input, schemas.$defs).filter(({ name }) => !SHAPING.includes(name))
}

/** True if the list takes the parameter. */
export function takes(schemas: ResourceSchemas, parameter: string, action = 'list'): boolean {
  const properties = schemas.actions[action]?.input['properties']
  return isObject(properties) && Object.hasOwn(properties, parameter)
}
