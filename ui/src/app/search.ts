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

interface Ranked {
  readonly label: string
  readonly hint: string
}

/** Those that have every word of the text, the best first: a label that begins with the text, then words that begin with it, then the rest. */
export function rank<T extends Ranked>(options: readonly T[], text: string): readonly T[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
  if (words.length === 0) return options
  const whole = words.join(' ')
  return options
    .map((option) => ({
      option,
      score: scoreOf(`${option.label} ${option.hint}`.toLowerCase(), words, whole),
    }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .map(({ option }) => option)
}

function scoreOf(label: string, words: readonly string[], whole: string): number {
  if (!words.every((word) => label.includes(word))) return 0
  if (label.startsWith(whole)) return 3
  return words.every((word) => label.split(/[\s._]/).some((part) => part.startsWith(word))) ? 2 : 1
}
