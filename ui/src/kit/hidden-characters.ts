/**
 * Characters that a person cannot see and a model reads: control characters, spaces without width, marks that turn the direction of
 * text, tags and variation selectors. A description can hide instructions in them.
 */

export interface TextPart {
  readonly text: string
  /** `U+200B` for a character that cannot be seen; null for text. */
  readonly hidden: string | null
}

/**
 * `\p{C}` has controls, formats (zero width, direction, tags), private use and unassigned characters; line breaks and tabs are layout.
 * `\p{DI}` has what draws nothing, such as variation selectors and fillers. The braille blank and other spaces look like a space.
 */
const HIDDEN = /(?![\n\t])[\p{C}\p{DI}\p{Zl}\p{Zp}\u2800]|(?! )\p{Zs}/gu

/** The text in parts, each hidden character one of its own. */
export function partsOf(text: string): readonly TextPart[] {
  const parts: TextPart[] = []
  let from = 0
  for (const { 0: found, index } of text.matchAll(HIDDEN)) {
    if (index > from) parts.push({ text: text.slice(from, index), hidden: null })
    parts.push({ text: found, hidden: codeOf(found) })
    from = index + found.length
  }
  if (from < text.length) parts.push({ text: text.slice(from), hidden: null })
  return parts
}

function codeOf(character: string): string {
  return `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`
}

/** How many characters of the text cannot be seen. */
export function hiddenCount(text: string): number {
  return text.match(HIDDEN)?.length ?? 0
}

/** Text that was hidden in tag characters, which copy ASCII; empty if there is none. */
export function tagText(text: string): string {
  return [...text]
    .map((character) => character.codePointAt(0)!)
    .filter((code) => code >= 0xe0020 && code <= 0xe007e)
    .map((code) => String.fromCodePoint(code - 0xe0000))
    .join('')
}
