/** The input schema of a tool as fields of a form. Schemas come from foreign servers: whatever a form cannot show is edited as JSON. */
import type { Json, JsonObject } from '../../../../build/document.ts'
import { type Field, fieldsOf, resolve } from '../../../schema/fields.ts'
import { isObject } from '../../../schema/value.ts'

/** One form of a tool: most have one, and a schema with `anyOf` or `oneOf` at its root has one for each branch. */
export interface ToolForm {
  readonly title: string
  readonly fields: readonly Field[]
}

/** More fields than a person fills in. */
const FIELDS_MAX = 100
const FORMS_MAX = 20

/** Null for a schema that has no form. */
export function formsOf(schema: JsonObject): readonly ToolForm[] | null {
  const $defs = definitionsIn(schema)
  try {
    const root = localRefs(schema) as JsonObject
    demandSmall(root, $defs, { left: PLACES_MAX }, 0)
    const { anyOf, oneOf, ...beside } = root
    const branches = [anyOf, oneOf].find((one) => Array.isArray(one) && one.length > 0)
    const forms = Array.isArray(branches)
      ? branches.map((branch, index) => {
          const own = isObject(branch) ? resolve(branch, $defs) : {}
          const title = typeof own['title'] === 'string' ? own['title'] : `Alternative ${index + 1}`
          return { title, fields: named(fieldsOf(joined(beside, own), $defs, asWritten)) }
        })
      : [{ title: '', fields: named(fieldsOf(root, $defs, asWritten)) }]
    const isShown = forms.length <= FORMS_MAX && forms.every(({ fields }) => fields.length <= FIELDS_MAX)
    return isShown ? forms : null
  } catch {
    // Too large, too deep, or a reference that leads back to itself
    return null
  }
}

/** Members of both; a member of the branch says more. */
function joined(root: JsonObject, branch: JsonObject): JsonObject {
  const list = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : [])
  return {
    ...root,
    ...branch,
    properties: {
      ...(isObject(root['properties']) ? root['properties'] : {}),
      ...(isObject(branch['properties']) ? branch['properties'] : {}),
    },
    required: [...new Set([...list(root['required']), ...list(branch['required'])])],
  }
}

/** Descriptions of others are no text of the management API. */
const asWritten = (description: string): string => description

/** Arguments are known by their names, not by words made of these. */
function named(fields: readonly Field[]): readonly Field[] {
  return fields.map((field) => ({ ...field, label: field.name }))
}

/** Definitions under the name of 2020-12, and under that of draft-07. */
function definitionsIn(schema: JsonObject): Readonly<Record<string, JsonObject>> {
  const found: Record<string, JsonObject> = {}
  for (const member of ['definitions', '$defs'])
    if (isObject(schema[member]))
      for (const [name, value] of Object.entries(schema[member]))
        if (isObject(value)) found[name] = localRefs(value) as JsonObject
  return found
}

/** Places of a form, with those behind references: a few references to references can stand for millions. */
const PLACES_MAX = 2000
/** Deeper than any field of a form. */
const FIELD_DEPTH_MAX = 8

function demandSmall(
  given: JsonObject,
  $defs: Readonly<Record<string, JsonObject>>,
  bound: { left: number },
  depth: number,
): void {
  if (--bound.left < 0) throw new RangeError('the schema is too large for a form')
  if (depth > FIELD_DEPTH_MAX) return
  const schema = resolve(given, $defs)
  const below = [schema['items'], schema['additionalProperties'], schema['anyOf'], schema['oneOf']].flat()
  const members = isObject(schema['properties']) ? Object.values(schema['properties']) : []
  for (const one of [...members, ...below]) if (isObject(one)) demandSmall(one, $defs, bound, depth + 1)
}

const DEPTH_MAX = 40

/** References to `definitions` as those to `$defs`. */
function localRefs(value: Json, depth = 0): Json {
  if (depth > DEPTH_MAX) throw new RangeError('the schema is too deep for a form')
  if (Array.isArray(value)) return value.map((one) => localRefs(one, depth + 1))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      name === '$ref' && typeof member === 'string'
        ? member.replace(/^#\/definitions\//, '#/$defs/')
        : localRefs(member, depth + 1),
    ]),
  )
}
