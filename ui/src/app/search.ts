/** The URL is the view: search parameters have the names of REST, and their values are plain texts. */
export type Search = Readonly<Record<string, string | readonly string[]>>

/** `?tag=a&tag=b&active=true` as `{ tag: ['a', 'b'], active: 'true' }`. */
export function parseSearch(text: string): Record<string, string | string[]> {
  // No object: names such as `constructor` are parameters too
  const found = new Map<string, string | string[]>()
  for (const [name, value] of new URLSearchParams(text)) {
    const before = found.get(name)
    found.set(name, before === undefined ? value : [before, value].flat())
  }
  return Object.fromEntries(found)
}

/** The inverse of {@link parseSearch}, with a question mark before it unless it is empty. Members that are not set are left out. */
export function stringifySearch(search: Record<string, unknown>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(search))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined && one !== null && one !== '') query.append(name, String(one))
  const text = query.toString()
  return text === '' ? '' : `?${text}`
}

/** The first value of a parameter. */
export function one(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0]
}
