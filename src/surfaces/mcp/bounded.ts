/**
 * Lists for models are bounded. A page that is too large is requested again with fewer items, so that its cursor is
 * that of the list itself.
 */
import { visibleJson } from '../../base/text/visible.ts'
import type { Invoked } from '../../operations/engine/call.ts'
import type { Operation } from '../../operations/engine/define.ts'

/** Bytes of JSON that a list answers to a model, which stands in text and structured content alike. */
export const LIST_BYTES_MAX = 25_000
/** Items on a page when nobody says how many: fewer than over REST, since a model reads all of it. */
export const LIST_LIMIT = 20
/** Of an item that is larger than a whole list may be: members up to this size stay. */
const MEMBER_CHARS_MAX = 200

/** True for lists that can be asked for fewer items. */
export function isPaged({ effect, input, output }: Operation): boolean {
  return effect === 'read' && Object.hasOwn(input.shape, 'limit') && Object.hasOwn(output.shape, 'items')
}

/**
 * A page that fits, cut at whole items, with a `hint` where it was cut. It is asked for anew with fewer items, so that
 * `next_cursor` is that of the list itself and goes on from the last item that is there.
 * @param limit what the caller asked for; of the wrong form it is for the operation to refuse
 */
export async function boundedPage(
  ask: (limit: unknown) => Promise<Invoked>,
  limit: unknown,
): Promise<Invoked> {
  let invoked = await ask(limit ?? LIST_LIMIT)
  const count = itemsOf(invoked.output).length
  for (;;) {
    const { output } = invoked
    const items = itemsOf(output)
    const fitting = countFitting(items)
    if (fitting >= items.length) {
      if (items.length >= count) return invoked
      return hinted(invoked, items, `The first ${items.length} of ${count} items`)
    }
    if (fitting === 0 && items.length === 1)
      return hinted(invoked, items.map(outlined), 'An item without its large members')
    invoked = await ask(Math.max(fitting, 1))
  }
}

function itemsOf({ items }: Invoked['output']): readonly unknown[] {
  return Array.isArray(items) ? items : []
}

function countFitting(items: readonly unknown[]): number {
  let bytes = 0
  for (const [index, item] of items.entries()) {
    bytes += Buffer.byteLength(visibleJson(JSON.stringify(item))) + 1
    if (bytes > LIST_BYTES_MAX) return index
  }
  return items.length
}

function hinted(invoked: Invoked, items: readonly unknown[], what: string): Invoked {
  const more = invoked.output['next_cursor'] === null ? '' : ' Go on with next_cursor as cursor.'
  const hint = `${what}: an answer holds ${LIST_BYTES_MAX} bytes.${more} fields (such as id,slug,name) makes items smaller.`
  return { ...invoked, output: { ...invoked.output, items, hint } }
}

function outlined(item: unknown): unknown {
  if (item === null || typeof item !== 'object') return null
  return Object.fromEntries(
    Object.entries(item).filter(([, value]) => JSON.stringify(value).length <= MEMBER_CHARS_MAX),
  )
}
