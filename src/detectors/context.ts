/**
 * What stands before a value: the name of its member, and the text of the same line or member. It tells an order number from
 * a phone number, and a version from an address.
 */
const CONTEXT_CHARS = 40

/** In lower case, at most 40 characters of text, with the name before them. */
export function contextOf(text: string, start: number, name: string): string {
  const before = text.slice(Math.max(0, start - CONTEXT_CHARS), start)
  const begun = Math.max(
    before.lastIndexOf(','),
    before.lastIndexOf(';'),
    before.lastIndexOf('{'),
    before.lastIndexOf('\n'),
  )
  return `${name} ${before.slice(begun + 1)}`.toLowerCase()
}
