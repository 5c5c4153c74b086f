/**
 * What all scanners of JSON text share: where strings end, which of them are names, and what these say. If the text is not
 * JSON (RFC 8259), the answers mean nothing, but each search ends. Linear in the text.
 */

export const QUOTE = 0x22
export const COMMA = 0x2c
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d
export const OPEN_LIST = 0x5b
export const CLOSE_LIST = 0x5d
const BACKSLASH = 0x5c
const COLON = 0x3a

const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y

/** Index after the closing quote of the string that opens at `start`; that of the end where it has none. */
export function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) return at + 1
    // The character after a backslash does not end the string
    if (code === BACKSLASH) at++
  }
  return text.length
}

/** Index of the first character from `from` on that is no space. */
export function skipSpace(text: string, from: number): number {
  let at = from
  while (at < text.length && text.charCodeAt(at) <= 0x20) at++
  return at
}

/** In an object a string before a colon is a name. @param end of the string */
export function isName(text: string, end: number): boolean {
  return text.charCodeAt(skipSpace(text, end)) === COLON
}

/** What a string says, with its quotes; null where it has an escape that is none. */
export function stringOf(literal: string): string | null {
  if (!literal.includes('\\')) return literal.slice(1, -1)
  try {
    return JSON.parse(literal) as string
  } catch {
    return null
  }
}

/** A number may begin with this. */
export function beginsNumber(code: number): boolean {
  return code === 0x2d || (code >= 0x30 && code <= 0x39)
}

/** The number that is written at `at`; that one character where there is none. */
export function numberAt(text: string, at: number): string {
  NUMBER.lastIndex = at
  return NUMBER.exec(text)?.[0] ?? text[at]!
}

/** What makes readers of a text differ: one of its objects has a member twice, or it is nested deeper than some allow. */
export interface NamesLook {
  /** Null where neither is so. */
  readonly doubt: { readonly twice: string } | 'deep' | null
  /** Some name has an escape: see `parseEscapedNames`. */
  readonly hasEscapes: boolean
}

/** Looks at the names of members up to the first doubt. @param depthMax containers inside each other */
export function lookAtNames(text: string, depthMax: number): NamesLook {
  let hasEscapes = false
  /** Names of the open objects; null for a list. */
  const open: (Set<string> | null)[] = []
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      const end = endOfString(text, at)
      const names = open.at(-1)
      if (names != null && isName(text, end)) {
        const literal = text.slice(at, end)
        const name = stringOf(literal)
        if (name === null) break
        if (literal.includes('\\')) hasEscapes = true
        if (names.has(name)) return { doubt: { twice: name }, hasEscapes }
        names.add(name)
      }
      at = end - 1
    } else if (code === OPEN_OBJECT || code === OPEN_LIST) {
      if (open.length === depthMax) return { doubt: 'deep', hasEscapes }
      open.push(code === OPEN_OBJECT ? new Set() : null)
    } else if (code === CLOSE_OBJECT || code === CLOSE_LIST) open.pop()
  }
  return { doubt: null, hasEscapes }
}

/**
 * Reads JSON in which names of members have escapes. V8's `JSON.parse` reads such a name wrong after it has seen another
 * object of the same shape: it compares the characters before unescaping with the name that it expects next, so that
 * `"rol\u0065"` becomes `rol\` once somebody has sent a member of that name (seen in V8 13.6). A reader behind us would
 * see `role`.
 * @param text JSON that `JSON.parse` accepts, nested no deeper than the stack allows
 */
export function parseEscapedNames(text: string): unknown {
  let at = 0

  function literal(): string {
    const from = at
    if (text.charCodeAt(at) === QUOTE) at = endOfString(text, at)
    else while (at < text.length && !END.has(text.charCodeAt(at))) at++
    return text.slice(from, at)
  }

  /** The items up to a closing bracket, each read by `item`. */
  function list(close: number, item: () => void): void {
    at++
    at = skipSpace(text, at)
    while (text.charCodeAt(at) !== close) {
      item()
      at = skipSpace(text, at)
      if (text.charCodeAt(at) === COMMA) at++
      at = skipSpace(text, at)
    }
    at++
  }

  function value(): unknown {
    at = skipSpace(text, at)
    const code = text.charCodeAt(at)
    if (code === OPEN_OBJECT) {
      const object: Record<string, unknown> = {}
      list(CLOSE_OBJECT, () => {
        const name = JSON.parse(literal()) as string
        at = skipSpace(text, at)
        at++ // the colon
        // As JSON.parse does: `__proto__` is a member like any other, and the last of two wins
        Object.defineProperty(object, name, {
          value: value(),
          writable: true,
          enumerable: true,
          configurable: true,
        })
      })
      return object
    }
    if (code === OPEN_LIST) {
      const items: unknown[] = []
      list(CLOSE_LIST, () => items.push(value()))
      return items
    }
    return JSON.parse(literal())
  }

  return value()
}

/** What a number or a word ends at. */
const END: ReadonlySet<number> = new Set([COMMA, CLOSE_OBJECT, CLOSE_LIST, 0x20, 0x09, 0x0a, 0x0d])

/**
 * JSON whose objects name no member twice, at any depth. Two readers may pick different ones of a repeated member, and
 * what one of them judged the other would believe.
 * @param rewritten another text of the same value, which is read in its place
 * @returns undefined for anything else.
 */
export function parseStrictJson(
  text: string,
  depthMax: number,
  rewritten: (json: string) => string = (json) => json,
): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const { doubt, hasEscapes } = lookAtNames(text, depthMax)
  if (doubt !== null) return undefined
  const read = rewritten(text)
  if (hasEscapes) return parseEscapedNames(read)
  return read === text ? value : JSON.parse(read)
}
