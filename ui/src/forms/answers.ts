/** What of an answer is shown: secrets, once, and nothing that its page shows anyway. */
import type { Json, JsonObject, ResourceSchemas } from '../../build/document.ts'
import type { OperationRow } from '../api/client.ts'
import { labelOf, resolve } from '../schema/fields.ts'
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

/**
 * The label of a secret: `Token of Acme`, `Signing secret of Acme, profile Live`.
 * @param path as of {@link secretsOf}
 * @param subject name of the resource that the operation was run on, if the answer does not name it
 */
export function secretLabel(path: string, output: JsonObject, subject: string | null = null): string {
  const [, list = '', place = '', name = path] = /^(\w+)\[(\d+)\]\.(.+)$/.exec(path) ?? []
  const word = labelOf(name.slice(name.lastIndexOf('.') + 1))
  const owner = subject ?? ownerIn(output)
  if (owner === null) return word
  const items = output[list]
  if (!Array.isArray(items) || items.length < 2) return `${word} of ${owner}`
  const item: unknown = items[Number(place)]
  const part = isObject(item) ? (item['name'] ?? item['slug']) : null
  return `${word} of ${owner}, ${list.replace(/s$/, '')} ${typeof part === 'string' ? part : Number(place) + 1}`
}

/** The resource that an answer is about: a profile is named with its client. */
function ownerIn({ client, name, slug }: JsonObject): string | null {
  if (typeof client === 'string' && typeof slug === 'string') return `${client}:${slug}`
  return typeof name === 'string' ? name : typeof slug === 'string' ? slug : null
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
