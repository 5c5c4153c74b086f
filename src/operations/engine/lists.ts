import { z } from 'zod'
import { type Clock, toTime } from '../../base/clock.ts'
import { refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import { momentOf, When } from '../../model/members.ts'
import { type Fields, TIME_ORDERS, type TimeOrder } from '../../store/ports/resource.ts'

const PAGE_DEFAULT = 50
const PAGE_MAX = 200

/** Members that every list takes. Numbers may come as text, since queries do. */
export const page = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(PAGE_MAX)
    .default(PAGE_DEFAULT)
    .describe('Maximum number of items per page'),
  cursor: z.string().max(200).optional().describe('next_cursor of the previous page'),
}

/** A list of items as every list answers it. */
export function pageOf(item: z.ZodObject) {
  return z.object({ items: z.array(item), next_cursor: z.string().nullable() })
}

/** A position in a list as callers see it; the inverse of {@link fromCursor}. */
export function toCursor(position: string): string {
  return Buffer.from(position).toString('base64url')
}

/** The position that a cursor holds. Refuses with input_invalid when it does not have the form. */
export function fromCursor(cursor: string, form: RegExp): string {
  const position = Buffer.from(cursor, 'base64url').toString()
  if (!form.test(position))
    throw refuse('input_invalid', {
      detail: 'The cursor is not valid: send next_cursor of the previous page.',
      errors: [{ pointer: '/cursor', reason: 'not a cursor of this list' }],
    })
  return position
}

/** The filter `text` of a list. @param where names what is searched, within the sentence `Only those with this text in the …` */
export function textFilter(where: string) {
  return z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe(`Only items with this text in the ${where}, ignoring case`)
}

/** True if one of the texts contains the part, in any case of letters, or if the part is undefined. */
export function hasText(part: string | undefined, texts: readonly (string | null)[]): boolean {
  if (part === undefined) return true
  const wanted = part.toLowerCase()
  return texts.some((text) => text?.toLowerCase().includes(wanted) === true)
}

/** The input `order` of a list by time. @param usual the default order of the list */
export function timeOrder(usual: TimeOrder) {
  return z.enum(TIME_ORDERS).default(usual).describe('Sort order by time')
}

/**
 * {@link toCursor} and {@link fromCursor} for a list by time. A cursor belongs to one order: `from` refuses that of the other with
 * input_invalid.
 * @param usual the default order of the list
 * @param form of a position, as a regular expression
 */
export function timeCursors(usual: TimeOrder, order: TimeOrder, form: string) {
  const sign = order === usual ? '' : '-'
  return {
    to: (position: string): string => toCursor(sign + position),
    from: (cursor: string | undefined): string | undefined =>
      cursor === undefined
        ? undefined
        : fromCursor(cursor, new RegExp(`^${sign}${form}$`)).slice(sign.length),
  }
}

/** A boolean that may come as text, since queries do. */
export const booleanFilter = z.preprocess(
  (value) => (value === 'true' ? true : value === 'false' ? false : value),
  z.boolean(),
)

/** Members that narrow to a time. */
export const period = {
  from: When.optional().describe(
    'Start, inclusive: 2026-05-01T00:00:00Z, 2026-05-01, or -30d for 30 days ago',
  ),
  to: When.optional().describe('End, exclusive: same format as from, or now'),
}

/** `from` and `to` as RFC 3339 times; those that are absent stay so. */
export function toPeriod(
  { from, to }: Fields,
  { clock }: { readonly clock: Clock },
): { from?: string; to?: string } {
  const now = clock.now()
  return {
    ...(typeof from === 'string' && { from: toTime(momentOf(from, now)) }),
    ...(typeof to === 'string' && { to: toTime(momentOf(to, now)) }),
  }
}

/** Read at a time at least: of many things a principal may see few. */
const STEP_MIN = 50

/**
 * The first `count` that pass, in the order in which they are read.
 * @param read gives at most `limit` of those that follow the one with the id `last`, or the first where there is none
 */
export async function firstThat<T extends { readonly id: string }>(
  count: number,
  read: (limit: number, last: string | undefined) => Promise<readonly T[]>,
  from: string | undefined,
  passes: (one: T) => boolean | Promise<boolean>,
): Promise<T[]> {
  const limit = Math.max(count, STEP_MIN)
  const found: T[] = []
  let last = from
  let looked = 0
  for (;;) {
    const step = await read(limit, last)
    for (const one of step) {
      // Each may be as large as a difference
      await yieldThread(++looked)
      if (await passes(one)) found.push(one)
      if (found.length === count) return found
    }
    if (step.length < limit) return found
    last = step.at(-1)!.id
  }
}
