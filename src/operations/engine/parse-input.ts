import { z } from 'zod'
import { isPlain } from '../../base/json/plain.ts'

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
