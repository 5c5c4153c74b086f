import { Lru } from '../../base/memory/lru.ts'

/** Different lists that are remembered for each kind of value. */
const LISTS_MAX = 256

/**
 * What `make` makes of a list, the same value for lists with the same items: many clients have the same assignments and
 * networks, and each value made once saves memory for each of them. Forgets the list that was not asked for longest.
 * @param make pure; an error is passed on and not remembered
 */
export function shared<T>(make: (items: readonly string[]) => T): (items: readonly string[]) => T {
  const made = new Lru<string, { readonly value: T }>(LISTS_MAX)
  return (items) => {
    const key = JSON.stringify(items)
    const known = made.get(key)
    if (known !== undefined) return known.value
    const value = make(items)
    made.set(key, { value })
    return value
  }
}
