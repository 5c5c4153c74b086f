/**
 * Values of resources: how a form edits them, what of them is sent, and how people read them. Absent, null, empty and default are
 * different, and only what a person has changed is sent.
 */
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

/** The fragment of the address as a JSON pointer, such as `/ip_allowlist`; null if it is none. */
export function pointerOfHash(hash: string): string | null {
  try {
    const pointer = decodeURIComponent(hash.replace(/^#/, ''))
    return pointer.startsWith('/') ? pointer : null
  } catch {
    return null
  }
}

/** The pointer and those of the values around it, nearest first: a form may have one field for a whole object. */
export function pointersAround(pointer: string): readonly string[] {
  const steps = pointer.split('/').slice(1)
  return steps.map((_, index) => `/${steps.slice(0, steps.length - index).join('/')}`)
}

// Values with a unit, read as people say them.

const UNITS: Readonly<Record<string, string>> = {
  ms: 'millisecond',
  s: 'second',
  m: 'minute',
  h: 'hour',
  d: 'day',
}
const BYTE_UNITS = ['KiB', 'MiB', 'GiB'] as const
const KIB = 1024

/** `1 entry`, `1,204 entries`. @param many default: `one` with an s */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`
}

/** `minute` of `1m`, `5 minutes` of `5m`; any other text as it is. */
export function durationWords(text: string): string {
  const [, digits, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? []
  const word = unit === undefined ? undefined : UNITS[unit]
  if (digits === undefined || word === undefined) return text
  return digits === '1' ? word : `${digits} ${word}s`
}

/** `10 MiB` of 10485760; numbers below 1024 in bytes. */
function bytesWords(bytes: number): string {
  let size = bytes
  let unit = 'bytes'
  for (const next of BYTE_UNITS) {
    if (size < KIB) break
    size /= KIB
    unit = next
  }
  return `${size.toLocaleString('en', { maximumFractionDigits: 1 })} ${unit}`
}

/** How a value of a unit is read; null if it is read as it is written. */
export function readingOf(unit: string | null, value: unknown): string | null {
  if (unit === 'duration' && typeof value === 'string') {
    const words = durationWords(value)
    return words === value ? null : /^\d/.test(words) ? words : `1 ${words}`
  }
  if (unit === 'bytes' && typeof value === 'number' && value >= KIB) return bytesWords(value)
  if (unit === 'fraction' && typeof value === 'number')
    return `${(value * 100).toLocaleString('en', { maximumFractionDigits: 1 })} %`
  return null
}

/**
 * A time of the API as the picker of a browser takes it, in UTC: `2026-12-01T10:00:30` of `2026-12-01T11:00:30+01:00`. Empty for no
 * time; null for a text that is none.
 */
export function momentOf(time: string): string | null {
  if (time === '') return ''
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? null : date.toISOString().slice(0, 19)
}

/** The inverse of {@link momentOf}. Pickers leave out seconds that are zero. */
export function timeOf(moment: string): string {
  if (moment === '') return ''
  return `${moment.length === 'yyyy-mm-ddThh:mm'.length ? `${moment}:00` : moment}Z`
}

/** The member that names the parent, of resources whose slugs are unique only below it. */
const PARENTS: Readonly<Record<string, string>> = {
  proxies: 'collection',
  profiles: 'client',
  bindings: 'host',
}

/** The name of a resource in URLs and commands: its slug, or `parent:slug`, or its id if it has no slug. */
export function addressOf(resource: string, value: JsonObject): string {
  const slug = String(value['slug'] ?? value['id'])
  const parent = value[PARENTS[resource] ?? '']
  return typeof parent === 'string' ? `${parent}:${slug}` : slug
}
