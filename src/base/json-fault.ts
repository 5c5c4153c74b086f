/**
 * Where a text stops being JSON (RFC 8259), as people count: lines and columns from 1, columns in characters (UTF-16).
 * What the parser of the platform says instead quotes the text, which may hold a secret, and often has no position.
 */
export interface JsonFault {
  readonly line: number
  readonly column: number
}

/** Numbers and names of values. Strings are walked by hand, since they may be as long as a body. */
const SCALAR = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const SPACE = /[ \t\r\n]*/y

/** @returns null for text that is JSON */
export function jsonFaultOf(text: string): JsonFault | null {
  const offset = faultOffset(text)
  if (offset === -1) return null
  const before = text.slice(0, offset)
  const lineStart = before.lastIndexOf('\n') + 1
  let line = 1
  for (let at = before.indexOf('\n'); at !== -1; at = before.indexOf('\n', at + 1)) line++
  return { line, column: offset - lineStart + 1 }
}

/** A sentence that names the place: `line 1, column 15`. */
export function jsonFaultText(text: string): string {
  const fault = jsonFaultOf(text)
  return fault === null ? '' : `line ${fault.line}, column ${fault.column}`
}

type Want = 'value' | 'value or ]' | 'name' | 'name or }' | ':' | ', or end'

/** Index of the first character that cannot continue the text as JSON, its length where it ends too early, or -1. */
function faultOffset(text: string): number {
  const open: string[] = []
  let want: Want = 'value'
  let at = match(SPACE, text, 0)
  while (at < text.length) {
    const char = text[at]!
    if (want === ', or end') {
      const closing = open.at(-1)
      if (closing === undefined) return at
      if (char === closing) open.pop()
      else if (char === ',') want = closing === '}' ? 'name' : 'value'
      else return at
      at++
    } else if (want === ':') {
      if (char !== ':') return at
      want = 'value'
      at++
    } else if (want === 'name' || want === 'name or }') {
      if (char === '}' && want === 'name or }') {
        open.pop()
        want = ', or end'
        at++
      } else {
        if (char !== '"') return at
        const { end, isWhole } = stringAt(text, at)
        if (!isWhole) return end
        want = ':'
        at = end
      }
    } else if (char === ']' && want === 'value or ]') {
      open.pop()
      want = ', or end'
      at++
    } else if (char === '{' || char === '[') {
      open.push(char === '{' ? '}' : ']')
      want = char === '{' ? 'name or }' : 'value or ]'
      at++
    } else {
      const { end, isWhole } = char === '"' ? stringAt(text, at) : scalarAt(text, at)
      if (!isWhole) return end
      want = ', or end'
      at = end
    }
    at = match(SPACE, text, at)
  }
  return want === ', or end' && open.length === 0 ? -1 : text.length
}

/** Where a token ends, or, of a broken one, where it breaks. */
interface Token {
  readonly end: number
  readonly isWhole: boolean
}

function stringAt(text: string, start: number): Token {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) return { end: at + 1, isWhole: true }
    if (code < 0x20) return { end: at, isWhole: false }
    if (code !== 0x5c) continue
    const end = match(ESCAPE, text, at)
    if (end === -1) return { end: at, isWhole: false }
    at = end - 1
  }
  return { end: text.length, isWhole: false }
}

function scalarAt(text: string, at: number): Token {
  const end = match(SCALAR, text, at)
  return end === -1 ? { end: at, isWhole: false } : { end, isWhole: true }
}

/** Where a sticky expression ends that is tried at `at`, or -1. */
function match(expression: RegExp, text: string, at: number): number {
  expression.lastIndex = at
  return expression.test(text) ? expression.lastIndex : -1
}
