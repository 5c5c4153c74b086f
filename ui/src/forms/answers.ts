/** What of an answer is shown: secrets, once, and nothing that its page shows anyway. */
import type { Json, JsonObject, ResourceSchemas } from '../../build/document.ts'
import type { OperationRow } from '../api/client.ts'
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

/** True if the answer of a write is only the resource as its page shows it: no secret, no warning, no result of its own. */
export function isTold(row: OperationRow, output: JsonObject, { actions, $defs }: ResourceSchemas): boolean {
  const shape = actions['get']?.output
  if (row.effect === 'read' || shape === undefined) return false
  const known = resolve(shape, $defs)['properties']
  if (!isObject(known) || secretsOf(output, actions[row.action]?.output, $defs).length > 0) return false
  return Object.entries(output).every(
    ([name, member]) =>
      name === 'pending' || (name === 'warnings' ? isEmpty(member) : Object.hasOwn(known, name)),
  )
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}
