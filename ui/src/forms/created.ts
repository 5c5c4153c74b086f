/** What the difference of a creation says, as members of the new resource. */
import type { Json, JsonObject } from '../../build/document.ts'
import type { DiffEntry } from '../api/client.ts'
import { isObject } from '../schema/value.ts'

/** Creations whose difference is always reviewed first: they give or take rights, or act on calls at once. */
const REVIEWED: readonly string[] = ['grants', 'guardrails', 'roles', 'trust_rules']

/** True if the form alone says what a creation does: it is stored by the first press. */
export function isSimpleCreation({
  effect,
  resource,
}: {
  readonly effect: string
  readonly resource: string
}): boolean {
  return effect === 'create' && !REVIEWED.includes(resource)
}

/** The members that a creation adds, by name. A resource that is added as a whole gives all of its members. */
export function createdMembers(entries: readonly DiffEntry[]): JsonObject {
  const members: Record<string, Json> = {}
  for (const { op, path, value } of entries) {
    if (op !== 'add') continue
    if (path === '' && isObject(value)) Object.assign(members, value)
    else members[path.slice(1)] = (value ?? null) as Json
  }
  return Object.fromEntries(Object.entries(members).filter(([, value]) => !isEmpty(value)))
}

/** True for a value that says nothing: null, an empty text, list or object, and an object or list of such values. */
export function isEmpty(value: Json): boolean {
  if (value === null || value === '') return true
  if (Array.isArray(value)) return (value as readonly Json[]).every(isEmpty)
  return isObject(value) && Object.values(value).every(isEmpty)
}
