import { z } from 'zod'
import { mayFit } from '../../base/json/canonical.ts'
import { isPlain, pointerTo, toStorable } from '../../base/json/storable.ts'
import { refuse } from '../../base/refusal.ts'
import { INPUT_BYTES_MAX } from './call.ts'
import { isUnread } from './unread.ts'

/** Items of a list that are judged at once. */
const ITEMS_AT_ONCE = 500

/** The same schemas with lists whose items are not judged, by schema. */
const unjudged = new WeakMap<z.ZodObject, z.ZodObject>()

/**
 * Parses a large input as `safeParse` of its schema does, with a pause after some items of each list that is a member of it. Of a list with
 * faults it tells those of the first items that have some.
 */
export function* parsePaused(
  schema: z.ZodObject,
  input: unknown,
): Generator<void, z.ZodSafeParseResult<Record<string, unknown>>> {
  const given = isPlain(input) ? Object.entries(input) : []
  const found = given.flatMap(([name, value]) => {
    const list = listAt(schema, name)
    return list !== null && Array.isArray(value)
      ? [{ name, value: value as readonly unknown[], items: z.array(list.element) }]
      : []
  })
  if (found.every(({ value }) => value.length <= ITEMS_AT_ONCE)) return schema.safeParse(input)
  const parsed = withoutItems(schema).safeParse(input)
  yield
  const issues: z.core.$ZodIssue[] = []
  const lists: Record<string, unknown> = {}
  for (const { name, value, items } of found) {
    const judged: unknown[] = []
    for (let at = 0; at < value.length; at += ITEMS_AT_ONCE) {
      const { data, error } = items.safeParse(value.slice(at, at + ITEMS_AT_ONCE))
      yield
      if (error !== undefined) {
        for (const {
          path: [index, ...rest],
          ...issue
        } of error.issues)
          issues.push({ ...issue, path: [name, at + Number(index), ...rest] } as z.core.$ZodIssue)
        break
      }
      for (const item of data) judged.push(item)
    }
    lists[name] = judged
  }
  issues.push(...(parsed.error?.issues ?? []))
  if (issues.length > 0 || !parsed.success)
    return { success: false, error: new z.ZodError(issues) as z.ZodError<Record<string, unknown>> }
  return { success: true, data: { ...parsed.data, ...lists } }
}

/** The list that a member is, which may be optional; null for a member that is none. */
function listAt(schema: z.ZodObject, name: string): z.ZodArray | null {
  let member: unknown = Object.hasOwn(schema.shape, name) ? schema.shape[name] : null
  if (member instanceof z.ZodOptional) member = member.unwrap()
  return member instanceof z.ZodArray ? member : null
}

function withoutItems(schema: z.ZodObject): z.ZodObject {
  let made = unjudged.get(schema)
  if (made === undefined) {
    const lists = Object.keys(schema.shape).flatMap((name) => {
      const list = listAt(schema, name)
      // With its own bounds
      return list === null ? [] : [[name, list.clone({ ...list.def, element: z.any() }).optional()] as const]
    })
    made = schema.extend(Object.fromEntries(lists))
    unjudged.set(schema, made)
  }
  return made
}

// Bounds of inputs before schemas judge them. A schema collects an error for each of a million items, which takes seconds.

/** Items of a list, and members of an object. */
const ITEMS_MAX = 50_000
/** Levels that are looked at of a large input: below, no schema judges it. */
const LARGE_DEPTH = 2

/**
 * Refuses with body_too_large an input that is larger than that of an operation may be, and with input_invalid one with very long
 * lists or objects.
 */
export function demandInputSize(input: unknown, isLarge: boolean): void {
  // Surfaces have bounded a large one
  if (!isLarge && !mayFit(input, INPUT_BYTES_MAX))
    throw refuse('body_too_large', {
      detail: `The input is larger than ${INPUT_BYTES_MAX} bytes of JSON.`,
    })
  demandFew(input, isLarge ? LARGE_DEPTH : Number.POSITIVE_INFINITY)
}

/** Names the member of the input in which the list is: the pointers of deep values would take longest. */
function demandFew(input: unknown, depthMax: number): void {
  const open = [{ value: input, pointer: '', depth: 0 }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, pointer, depth } = next
    if (value === null || typeof value !== 'object' || isUnread(value)) continue
    const isList = Array.isArray(value)
    const names = isList ? null : Object.keys(value)
    const count = isList ? value.length : names!.length
    if (count > ITEMS_MAX) {
      const what = isList ? 'a list of more' : 'an object with more'
      const reason = `contains ${what} than ${ITEMS_MAX} ${isList ? 'items' : 'members'}`
      throw refuse('input_invalid', {
        detail: `${pointer === '' ? 'The input' : pointer}: ${reason}.`,
        errors: [{ pointer, reason }],
      })
    }
    if (depth + 1 >= depthMax) continue
    const add = (inner: unknown, name: string): void => {
      // Nothing is made for scalars, which most values are
      if (inner === null || typeof inner !== 'object') return
      const below = depth === 0 ? pointerTo('', toStorable(name)) : pointer
      open.push({ value: inner, pointer: below, depth: depth + 1 })
    }
    if (isList) for (const inner of value) add(inner, '')
    else for (const name of names!) add((value as Readonly<Record<string, unknown>>)[name], name)
  }
}

/** Enough for {@link demandInputSize} to refuse it, also without the options that a body has beside the input. */
const REFUSED_ITEMS = ITEMS_MAX + 100

/**
 * A body that {@link demandInputSize} judges as the one that is given, without most of the items of very long lists and objects: what is
 * refused anyway need not cross to the main thread, which would count them for long.
 */
export function withoutExcess(body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(body)
      .slice(0, REFUSED_ITEMS)
      .map(([name, value]) => [name, withoutExcessIn(value)]),
  )
}

function withoutExcessIn(value: unknown): unknown {
  if (Array.isArray(value)) return value.length > REFUSED_ITEMS ? value.slice(0, REFUSED_ITEMS) : value
  if (!isPlain(value) || isUnread(value)) return value
  const names = Object.keys(value)
  if (names.length <= REFUSED_ITEMS) return value
  return Object.fromEntries(names.slice(0, REFUSED_ITEMS).map((name) => [name, value[name]]))
}
