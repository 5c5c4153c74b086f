import { broken, DEPTH_MAX, toPlain } from './plain.ts'
import { pointerTo } from './pointer.ts'

/**
 * Reads JSON strictly: a syntax error is refused with line and column, a member that stands twice with its pointer
 * (RFC 8259 section 4 leaves its meaning open, and `get` twice in one path is a mistake worth knowing).
 */
export function readJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw broken('', `not JSON: ${placeOf(text, error)}`)
  }
  refuseRepeats(text)
  return toPlain(value)
}

/** The parser's message without the excerpt of the document, and the line and column where it has a position. */
function placeOf(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const at = /at position (\d+)/.exec(message)
  const summary = (message.split(/,? (?:in JSON at position|"|\.\.\.)/)[0] ?? message).slice(0, 120)
  if (at === null) return /end of JSON/.test(message) ? 'it ends too early' : summary
  const before = text.slice(0, Number(at[1]))
  const line = before.split('\n').length
  return `${summary}, line ${line}, column ${before.length - before.lastIndexOf('\n')}`
}

/** One pass over text that is known to be JSON; only strings and brackets matter. */
function refuseRepeats(text: string): void {
  /** One per open bracket: the names so far and the current one, or null names and an index for an array. */
  const open: { names: Set<string> | null; token: string | number }[] = []
  const pointer = (): string => pointerTo('', ...open.map((level) => level.token))
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (char === 0x22) {
      const end = endOfString(text, i)
      const level = open.at(-1)
      if (level?.names && isName(text, end)) {
        // A JSON string literal parses to a string.
        level.token = JSON.parse(text.slice(i, end)) as string
        if (level.names.has(level.token)) throw broken(pointer(), 'this member stands twice')
        level.names.add(level.token)
      }
      i = end - 1
    } else if (char === 0x7b || char === 0x5b) {
      open.push(char === 0x7b ? { names: new Set(), token: '' } : { names: null, token: 0 })
      if (open.length > DEPTH_MAX) {
        open.pop()
        throw broken(pointer(), `nested more than ${DEPTH_MAX} levels deep`)
      }
    } else if (char === 0x7d || char === 0x5d) open.pop()
    else if (char === 0x2c) {
      const level = open.at(-1)
      if (typeof level?.token === 'number') level.token++
    }
  }
}

function endOfString(text: string, start: number): number {
  let i = start + 1
  for (;;) {
    const quote = text.indexOf('"', i)
    let backslashes = 0
    while (text.charCodeAt(quote - 1 - backslashes) === 0x5c) backslashes++
    if (backslashes % 2 === 0) return quote + 1
    i = quote + 1
  }
}

/** True when the string that ends here is followed by a colon. Values are followed by a comma or bracket. */
function isName(text: string, end: number): boolean {
  let i = end
  while (text.charCodeAt(i) <= 0x20) i++
  return text.charCodeAt(i) === 0x3a
}
