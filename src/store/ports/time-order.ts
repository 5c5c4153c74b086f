/** How lists of what happened may be ordered. */
export const TIME_ORDERS = ['newest', 'oldest'] as const
export type TimeOrder = (typeof TIME_ORDERS)[number]

/** The comparison that finds what follows the last one of a page, and the direction of the order. */
export function steps(order: TimeOrder): { readonly beyond: '<' | '>'; readonly direction: 'asc' | 'desc' } {
  return order === 'newest' ? { beyond: '<', direction: 'desc' } : { beyond: '>', direction: 'asc' }
}
