/**
 * Text that every store keeps as it is. PostgreSQL has no U+0000 in text and in JSON, and UTF-8 has no lone surrogates. Inputs
 * that name such text are refused; in what cannot be refused, such as a header of a refused call, U+FFFD stands in its place.
 */
import { type FieldError, refuse } from '../refusal.ts'
import { withoutPause } from '../threads/time-slices.ts'

/** Why a member named `length` is refused; see {@link isNoLength}. */
const NO_LENGTH = 'must not have members named toString and valueOf'
/** Why a text is refused. */
export const UNSTORABLE = 'must not contain U+0000 or a lone surrogate'
/** Places that one refusal names. */
const ERRORS_MAX = 100

export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

/** The text with U+FFFD in the place of each character that no store keeps. */
export function toStorable(text: string): string {
  return isStorable(text) ? text : text.replaceAll('\0', '\ufffd').toWellFormed()
}

/**
 * True for a member that cannot be compared with a number. Schemas compare the member `length` of every value where a bound of length
 * stands, before they know that the value has another type, and would throw.
 */
function isNoLength(name: string, value: unknown): boolean {
  return (
    name === 'length' &&
    value !== null &&
    typeof value === 'object' &&
    typeof value.toString !== 'function' &&
    typeof value.valueOf !== 'function'
  )
}

/** The places of plain data, to any depth, whose text or name is not storable, or that no schema can judge; at most 100. */
export function unstorableIn(data: unknown): readonly FieldError[] {
  // Nearly all data is storable, and needs no pointers
  if (isStorableData(data)) return []
  const errors: FieldError[] = []
  const open: { readonly value: unknown; readonly pointer: string }[] = [{ value: data, pointer: '' }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, pointer } = next
    if (typeof value === 'string') {
      if (!isStorable(value)) errors.push({ pointer, reason: UNSTORABLE })
    }
    // The first member is looked at first
    else
      for (const [name, inner] of membersOf(value).reverse()) {
        const place = pointerTo(pointer, toStorable(name))
        if (!isStorable(name)) errors.push({ pointer: place, reason: `its name ${UNSTORABLE}` })
        if (isNoLength(name, inner)) errors.push({ pointer: place, reason: NO_LENGTH })
        open.push({ value: inner, pointer: place })
      }
    if (errors.length >= ERRORS_MAX) break
  }
  return errors.slice(0, ERRORS_MAX)
}

function isStorableData(data: unknown): boolean {
  return withoutPause(isStorablePaused(data))
}

/** Values between two pauses. */
const PAUSE_VALUES = 2000

function* isStorablePaused(data: unknown): Generator<void, boolean> {
  const open: unknown[] = [data]
  for (let values = 1; open.length > 0; values++) {
    if (values % PAUSE_VALUES === 0) yield
    const value = open.pop()
    if (typeof value === 'string') {
      if (!isStorable(value)) return false
    } else if (Array.isArray(value)) for (const item of value) open.push(item)
    else
      for (const [name, inner] of membersOf(value)) {
        if (!isStorable(name) || isNoLength(name, inner)) return false
        open.push(inner)
      }
  }
  return true
}

/** Refuses plain data that contains text which is not storable, or a member that no schema can judge, with input_invalid. */
export function demandStorable(data: unknown): void {
  withoutPause(demandStorablePaused(data))
}

/** The same, with pauses. */
export function* demandStorablePaused(data: unknown): Generator<void, void> {
  if (yield* isStorablePaused(data)) return
  const errors = unstorableIn(data)
  const [first] = errors
  if (first === undefined) return
  const place = first.pointer === '' ? 'The input' : first.pointer
  throw refuse('input_invalid', { detail: `${place}: ${first.reason}.`, errors })
}

/** Plain data with U+FFFD in the place of each character that no store keeps; the same object where there is none. */
export function withStorable<Data>(data: Data): Data {
  // Each text is replaced by a text
  return isStorableData(data) ? data : (replaced(data) as Data)
}

function replaced(data: unknown): unknown {
  if (typeof data === 'string') return toStorable(data)
  if (Array.isArray(data)) return data.map(replaced)
  const members = membersOf(data)
  if (members.length === 0) return data
  return Object.fromEntries(members.map(([name, value]) => [toStorable(name), replaced(value)]))
}

/** The members of a list or of a plain object; none of anything else. */
function membersOf(value: unknown): [string, unknown][] {
  if (value === null || typeof value !== 'object') return []
  if (Array.isArray(value)) return value.map((item, index) => [String(index), item])
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null ? Object.entries(value) : []
}

/** An object as JSON gives it. */
export type Plain = Record<string, unknown>

/** True for an object that is neither a list nor bytes: to read bytes as members would hide what they say. */
export function isPlain(value: unknown): value is Plain {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && !ArrayBuffer.isView(value)
}

/** A text, a number or a truth value as text; undefined for anything else, which need not be able to become one. */
export function scalarText(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined
}

/** The texts of a list; none of anything else. */
export function listedTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}

/** Containers inside each other: no document has as many. What reads a document may then call itself for each of them. */
export const NESTED_MAX = 128

/** True for more than `nestedMax` objects and lists inside each other. */
export function isDeep(root: unknown, nestedMax: number = NESTED_MAX): boolean {
  const isContainer = (value: unknown): value is object => value !== null && typeof value === 'object'
  let level: object[] = [root].filter(isContainer)
  for (let depth = 0; level.length > 0; depth++) {
    if (depth === nestedMax) return true
    const next: object[] = []
    for (const one of level)
      for (const inner of Object.values(one) as unknown[]) if (isContainer(inner)) next.push(inner)
    level = next
  }
  return false
}

/**
 * The JSON object that a server has answered, which may begin with a byte order mark; null for anything else, also for one that is
 * nested so deeply that writing it would exhaust the stack.
 */
export function plainIn(body: Buffer): Plain | null {
  try {
    const value: unknown = JSON.parse(body.toString().replace(/^\uFEFF/, ''))
    return isPlain(value) && !isDeep(value) ? value : null
  } catch {
    return null
  }
}

// JSON pointers (RFC 6901).

/** Adds reference tokens to a pointer: `pointerTo('/paths', '/orders', 'get')` is `/paths/~1orders/get`. */
export function pointerTo(base: string, ...tokens: readonly PropertyKey[]): string {
  let pointer = base
  for (const token of tokens) pointer += `/${String(token).replaceAll('~', '~0').replaceAll('/', '~1')}`
  return pointer
}

/** The text that a reference token stands for. */
export function tokenText(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~')
}
