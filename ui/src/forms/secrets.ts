import type { Json, JsonObject } from '../../build/document.ts'
import { resolve } from '../schema/fields.ts'
import { isObject } from '../schema/value.ts'

export interface ShownOnce {
  /** Path in the answer, with dots. */
  readonly name: string
  readonly value: Json
}

/** Members of an answer that are shown once, as the schema of the answer marks them (`x-postern-secret`). */
export function secretsOf(
  value: Json | undefined,
  schema: JsonObject | undefined,
  $defs: Readonly<Record<string, JsonObject>>,
  name = '',
): readonly ShownOnce[] {
  if (value === undefined || value === null || schema === undefined) return []
  const own = resolve(schema, $defs)
  if (own['x-postern-secret'] === true) return [{ name, value }]
  const branches = [...listOf(own['anyOf']), ...listOf(own['oneOf']), ...listOf(own['allOf'])]
  const inBranches = branches.flatMap((branch) => secretsOf(value, branch, $defs, name))
  if (inBranches.length > 0) return unique(inBranches)
  const items = own['items']
  if (Array.isArray(value))
    return isObject(items)
      ? (value as readonly Json[]).flatMap((item, index) =>
          secretsOf(item, items, $defs, `${name}[${index}]`),
        )
      : []
  const members = own['properties']
  if (!isObject(value) || !isObject(members)) return []
  return Object.entries(members).flatMap(([key, member]) =>
    isObject(member) ? secretsOf(value[key], member, $defs, name === '' ? key : `${name}.${key}`) : [],
  )
}

function listOf(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}

function unique(found: readonly ShownOnce[]): readonly ShownOnce[] {
  return [...new Map(found.map((one) => [one.name, one])).values()]
}
