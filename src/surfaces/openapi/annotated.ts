/**
 * Adds the annotations that follow from the registry to schemas of operations: references, sections and columns of the kind
 * of resource, and the default columns of lists. Annotations of single members are in their schemas (`model/annotations`).
 */
import { isPlain } from '../../base/json/storable.ts'
import { isResourceType } from '../../model/resource-types.ts'
import type { Operation } from '../../operations/engine/define.ts'
import type { KindSchema, RefField } from '../../operations/engine/kind-schema.ts'
import { parentFields } from '../../operations/engine/refs.ts'
import { kindOf } from '../../operations/kinds.ts'
import { type JsonSchema, jsonSchemasOf, membersOf } from '../fields.ts'

/** More members than this do not fit a table. */
const COLUMNS_MAX = 7

/** The input of an operation as the OpenAPI document shows it. */
export function annotatedInput({ resource, action, input }: Operation): JsonSchema {
  const printed = jsonSchemasOf(input).input
  const hasId = Object.hasOwn(membersOf(printed), 'id')
  const schema = hasId ? withMark(printed, ['id'], { [REF]: resource }) : printed
  const kind = kindNamed(resource)
  if (kind === undefined) return schema
  // A filter of a list stands at the top, wherever the reference does in the spec
  const refs = refsOf(kind).filter(({ isInner }) => action !== 'list' || isInner !== true)
  const referring = refs.reduce(
    (made, ref) => withRef(made, action === 'list' ? [] : placeOf(ref), ref),
    schema,
  )
  const isForm = action === 'create' || action === 'update' || action === 'put'
  return isForm ? withSections(referring, [], kind) : referring
}

/** The output, as {@link annotatedInput}. @param listed Columns of the list of the resource; none if it has no list */
export function annotatedOutput(operation: Operation, listed: readonly string[]): JsonSchema {
  const schema = jsonSchemasOf(operation.output).output
  const item = Object.hasOwn(operation.output.shape, 'items') ? ['items'] : []
  const kind = operation.answers ?? kindNamed(operation.resource)
  const columns = (operation.answers?.columns ?? listed).slice(0, COLUMNS_MAX)
  // What lacks one of them is no resource, such as the answer of an action
  const isShown = columns.every((path) => hasMember(schema, [...item, path.split('.')[0]!]))
  const marked = (isShown ? columns : []).reduce(
    (made, path, index) => withMark(made, [...item, ...path.split('.')], { 'x-postern-column': index + 1 }),
    schema,
  )
  if (kind === undefined) return marked
  return [item, [...item, 'pending_draft']].reduce(
    (made, place) =>
      withSections(
        refsOf(kind).reduce((one, ref) => withRef(one, [...place, ...placeOf(ref)], ref), made),
        place,
        kind,
      ),
    marked,
  )
}

const REF = 'x-postern-ref'

function kindNamed(resource: string): KindSchema | undefined {
  return isResourceType(resource) ? kindOf(resource) : undefined
}

function refsOf(kind: KindSchema): readonly RefField[] {
  return [...parentFields(kind), ...kind.refs]
}

function placeOf({ within = [] }: RefField): readonly string[] {
  return typeof within === 'string' ? [within] : within
}

function withRef(schema: JsonSchema, place: readonly string[], { field, type, words }: RefField): JsonSchema {
  return withMark(schema, [...place, field], {
    [REF]: type,
    ...(words !== undefined && { 'x-postern-words': words }),
  })
}

function withSections(schema: JsonSchema, place: readonly string[], { sections }: KindSchema): JsonSchema {
  return Object.entries(sections).reduce(
    (made, [section, members]) =>
      members.reduce((one, name) => withMark(one, [...place, name], { 'x-postern-section': section }), made),
    schema,
  )
}

/** True if objects of the schema, or items of its list, have a member at the path. */
function hasMember(schema: JsonSchema, [name, ...rest]: readonly string[]): boolean {
  if (name === undefined) return true
  const holder = isPlain(schema['items']) ? schema['items'] : schema
  const member = membersOf(holder)[name]
  return member !== undefined && hasMember(member, rest)
}

/** A copy in which ids and slugs within the forms of a member refer to the type; without a type, the same. */
function withRefIn(schema: JsonSchema, type: unknown): JsonSchema {
  if (type === undefined) return schema
  const settled = (part: unknown): unknown => (isPlain(part) ? withRefIn(part, type) : part)
  const { [REF]: ref, anyOf, items } = schema
  return {
    ...schema,
    ...(ref === true && { [REF]: type }),
    ...(Array.isArray(anyOf) && { anyOf: anyOf.map(settled) }),
    ...(isPlain(items) && { items: settled(items) }),
  }
}

/** A copy in which the member at the path has the annotations, in each alternative and item that has it; without it, the same. */
function withMark(schema: JsonSchema, [name, ...rest]: readonly string[], marks: JsonSchema): JsonSchema {
  if (name === undefined) return { ...withRefIn(schema, marks[REF]), ...marks }
  const inner = (part: unknown): unknown => (isPlain(part) ? withMark(part, [name, ...rest], marks) : part)
  const changed: Record<string, unknown> = {}
  for (const key of ['anyOf', 'oneOf', 'allOf'] as const) {
    const { [key]: choices } = schema
    if (Array.isArray(choices)) changed[key] = choices.map(inner)
  }
  if (isPlain(schema['items'])) changed['items'] = inner(schema['items'])
  const members = membersOf(schema)
  if (Object.hasOwn(members, name))
    changed['properties'] = { ...members, [name]: withMark(members[name]!, rest, marks) }
  return { ...schema, ...changed }
}
