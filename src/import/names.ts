import { slugOf } from '../model/members.ts'

/** `listOrders`, `Orders_list2` -> words for a slug. */
function toWords(identifier: string): string {
  return identifier.replace(/([a-z0-9])([A-Z])/g, '$1-$2').replace(/([A-Z]+)([A-Z][a-z])/g, '$1-$2')
}

/** Gives out slugs that differ: the same request order gives the same slugs. */
export function createSlugs(): (candidates: readonly string[]) => string {
  const unused = createUnused()
  return (candidates) =>
    unused(candidates.map((text) => slugOf(toWords(text))).find((slug) => slug !== '') ?? 'endpoint')
}

/** Gives each slug once, and then with a number behind it. */
export function createUnused(): (slug: string) => string {
  const taken = new Set<string>()
  /** Where to go on counting, so that many equal names stay linear. */
  const counts = new Map<string, number>()
  return (base) => {
    let slug = base
    for (let count = counts.get(base) ?? 2; taken.has(slug); count++) {
      const suffix = `-${count}`
      slug = `${base.slice(0, 63 - suffix.length).replace(/-+$/, '')}${suffix}`
      counts.set(base, count + 1)
    }
    taken.add(slug)
    return slug
  }
}

/** The first usable text as a name: one line, 1 to 120 characters. */
export function toName(candidates: readonly unknown[]): string {
  for (const text of candidates) {
    const line = typeof text === 'string' ? text.replace(/\s+/g, ' ').trim() : ''
    if (line !== '') return line.length <= 120 ? line : `${line.slice(0, 119).toWellFormed().trimEnd()}…`
  }
  return 'Endpoint'
}

/** Tags as slugs, without repeats, at most 20. */
export function toTags(tags: unknown): string[] {
  if (!Array.isArray(tags)) return []
  const slugs = tags.map((tag) => (typeof tag === 'string' ? slugOf(tag) : '')).filter((slug) => slug !== '')
  return [...new Set(slugs)].slice(0, 20)
}
