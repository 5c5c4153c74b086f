/** The orders of a list by time. */
export const TIME_ORDERS = ['newest', 'oldest'] as const
export type TimeOrder = (typeof TIME_ORDERS)[number]

/** An order as keyset pagination needs it: the comparison with the last item of a page that finds the next page, and the direction. */
export function keysetOf(order: TimeOrder): {
  readonly beyond: '<' | '>'
  readonly direction: 'asc' | 'desc'
} {
  return order === 'newest' ? { beyond: '<', direction: 'desc' } : { beyond: '>', direction: 'asc' }
}
