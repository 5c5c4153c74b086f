import type { Json, JsonObject } from '../../build/document.ts'
import { isObject } from './value.ts'

/** True for a secret as it is read: where it comes from, never what it is. */
function isStoredSecret(value: Json): value is JsonObject {
  return isObject(value) && typeof value['set'] === 'boolean' && typeof value['updated_at'] === 'string'
}

/** The source of a secret as it is written, or undefined for a secret that the gateway keeps: left out, it stays. */
function sourceOf({ source, reference }: JsonObject): Json | undefined {
  if (typeof reference !== 'string') return undefined
  if (source === 'env' || source === 'file') return { [source]: reference }
  const [path = '', field = ''] = reference.split(/#(?=[^#]*$)/)
  return source === 'vault' ? { vault: { path, field } } : undefined
}

/** A resource as it was read, in the form in which it can be written: answers tell of secrets what no request takes. */
function writable(value: Json): Json | undefined {
  if (Array.isArray(value)) return value.map((item) => writable(item) ?? null)
  if (!isObject(value)) return value
  if (isStoredSecret(value)) return sourceOf(value)
  return writableMembers(value)
}

/** The same for the members of an object. */
export function writableMembers(value: JsonObject): JsonObject {
  const members: Record<string, Json> = {}
  for (const [name, member] of Object.entries(value)) {
    const written = writable(member)
    if (written !== undefined) members[name] = written
  }
  return members
}
