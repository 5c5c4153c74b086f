import { isPlain, type Plain } from '../../base/json/plain.ts'
import { Slug } from '../../model/members.ts'

/** Objects of a list; none where there is no list. */
export function listIn(owner: Plain, member: string): Plain[] {
  const list = owner[member]
  return Array.isArray(list) ? list.filter(isPlain) : []
}

/** Names of members that have a value and are no list whose items are all of the kind; nothing is known of what they were to say. */
export function oddLists(
  owner: Plain,
  members: readonly string[],
  isItem: (item: unknown) => boolean = isPlain,
): string[] {
  return members.filter((member) => {
    const value = owner[member]
    return value != null && !(Array.isArray(value) && value.every(isItem))
  })
}

export const isText = (value: unknown): boolean => typeof value === 'string'

/** What a part is called in notes, and in the documents that it becomes. */
export function nameOf(one: Plain): string {
  const { name, username, custom_id: id } = one
  const text = [name, username, id].find(
    (value): value is string => typeof value === 'string' && value !== '',
  )
  return (text ?? 'unnamed').slice(0, 100)
}

/** The name or id by which one part refers to another. */
export function refOf(value: unknown): string | null {
  if (typeof value === 'string') return value
  if (!isPlain(value)) return null
  const found = [value['name'], value['username'], value['id']].find((one) => typeof one === 'string')
  return (found as string | undefined) ?? null
}

/** Tags in the form that they have here; others say nothing about calls. */
export function tagsOf(source: Plain): readonly string[] {
  const { tags } = source
  const own = Array.isArray(tags) ? tags.filter((tag) => Slug.safeParse(tag).success) : []
  return [...new Set(own as string[])].slice(0, 20)
}
