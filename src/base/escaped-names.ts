import {
  CLOSE_LIST,
  CLOSE_OBJECT,
  COMMA,
  endOfString,
  OPEN_LIST,
  OPEN_OBJECT,
  QUOTE,
  skipSpace,
} from './json-scan.ts'

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
