/** Values that a form edits. Absent, null, empty and default are different, and only what a person has changed is sent. */
import type { Json, JsonObject } from '../../build/document.ts'

/** Names of members and places in lists that lead to a value. */
export type Path = readonly (string | number)[]

export function isObject(value: unknown): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

export function at(value: Json | undefined, path: Path): Json | undefined {
  let found: Json | undefined = value
  for (const step of path) {
    if (Array.isArray(found) && typeof step === 'number') found = found[step]
    else if (isObject(found) && Object.hasOwn(found, step)) found = found[step]
    else return undefined
  }
  return found
}

/** The value with another one at the path; undefined removes the member or the item. */
export function withAt(value: Json | undefined, path: Path, next: Json | undefined): Json | undefined {
  const [step, ...rest] = path
  if (step === undefined) return next
  if (typeof step === 'number') {
    const list = Array.isArray(value) ? [...value] : []
    const item = withAt(list[step], rest, next)
    if (item === undefined) list.splice(step, 1)
    else list[step] = item
    return list
  }
  const members = isObject(value) ? value : {}
  const member = withAt(members[step], rest, next)
  if (member !== undefined) return { ...members, [step]: member }
  return Object.fromEntries(Object.entries(members).filter(([name]) => name !== step))
}

export function isEqual(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => isEqual(item, b[index]))
  if (!isObject(a) || !isObject(b)) return false
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && isEqual(a[name], b[name]))
  )
}

export interface Changes {
  /** Members that differ, of objects within objects too: what PATCH takes. Empty if nothing has changed. */
  readonly patch: JsonObject
  /** A member has been removed, which PATCH cannot say: the whole has to be sent with PUT. */
  readonly removes: boolean
}

/** What has changed between the resource as it was loaded and as it was edited. */
export function changesOf(loaded: JsonObject, edited: JsonObject): Changes {
  const patch: Record<string, Json> = {}
  let removes = Object.keys(loaded).some((name) => !Object.hasOwn(edited, name))
  for (const [name, value] of Object.entries(edited)) {
    const before = loaded[name]
    if (isEqual(before, value)) continue
    // An object whose type changes is replaced as a whole by the server too
    if (isObject(before) && isObject(value) && before['type'] === value['type']) {
      const inner = changesOf(before, value)
      removes ||= inner.removes
      patch[name] = typeof value['type'] === 'string' ? { type: value['type'], ...inner.patch } : inner.patch
    } else patch[name] = value
  }
  return { patch, removes }
}

/** JSON pointer (RFC 6901) of a path. */
export function pointerOf(path: Path): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

export interface Entry {
  readonly op: 'add' | 'remove' | 'replace'
  readonly path: string
  readonly from?: Json
  readonly value?: Json
}

/** Differences between two values, member by member, as JSON pointers. Lists are compared as a whole. */
export function entriesOf(
  before: Json | undefined,
  after: Json | undefined,
  path: Path = [],
): readonly Entry[] {
  if (isEqual(before, after)) return []
  if (isObject(before) && isObject(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    return names.flatMap((name) => entriesOf(before[name], after[name], [...path, name]))
  }
  const at = pointerOf(path)
  if (before === undefined) return after === undefined ? [] : [{ op: 'add', path: at, value: after }]
  if (after === undefined) return [{ op: 'remove', path: at, from: before }]
  return [{ op: 'replace', path: at, from: before, value: after }]
}

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
