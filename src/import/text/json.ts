import { pointerTo } from '../../base/pointer.ts'
import { broken, DEPTH_MAX, toPlain } from './plain-data.ts'

/**
 * Reads JSON strictly, and says where it is broken: by pointer, line and column. A member that stands twice is
 * refused (RFC 8259 section 4 leaves its meaning open, and `get` twice in one path is a mistake worth knowing).
 */
export function readJson(text: string): unknown {
  scan(text)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // All that the scan does not look at is the inside of strings.
    throw broken('', 'not JSON: a text in it has an invalid escape or control character')
  }
  return toPlain(value)
}

/** An open bracket: the names seen in an object, and the member or index that is being read. */
interface Level {
  readonly names: Set<string> | null
  token: string | number
}

type Expected = 'value' | 'value or ]' | 'name' | 'name or }' | ':' | ', or closing bracket' | 'end'

const SCALAR = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null/y
const SPACE = /[\t\n\r ]*/y

/** One pass over the grammar of RFC 8259 section 2, with a stack of its own, so that depth costs no call stack. */
function scan(text: string): void {
  const open: Level[] = []
  let expected: Expected = 'value'
  let i = 0

  const pointer = (): string => pointerTo('', ...open.map((level) => level.token))
  const fault = (): Error => {
    const found =
      i < text.length ? `"${String.fromCodePoint(text.codePointAt(i)!)}" at ${lineOf(text, i)}` : 'the end'
    return broken(pointer(), `not JSON: ${expected} expected, not ${found}`)
  }
  const afterValue = (): Expected => (open.length === 0 ? 'end' : ', or closing bracket')
  const readName = (end: number): void => {
    const level = open.at(-1)!
    const literal = text.slice(i, end)
    // The scan of a name may meet an invalid escape; then it stands for itself here and JSON.parse refuses it.
    level.token = literal.includes('\\') ? toText(literal) : literal.slice(1, -1)
    if (level.names!.has(level.token)) throw broken(pointer(), 'this member stands twice')
    level.names!.add(level.token)
  }

  for (;;) {
    SPACE.lastIndex = i
    SPACE.test(text)
    i = SPACE.lastIndex
    const char = text[i]
    if (char === undefined && expected === 'end') return
    const level = open.at(-1)
    if (char === '"' && (expected.startsWith('name') || expected.startsWith('value'))) {
      const end = endOfString(text, i)
      if (end === 0) throw broken(pointer(), `not JSON: the text at ${lineOf(text, i)} does not end`)
      if (expected.startsWith('name')) {
        readName(end)
        expected = ':'
      } else expected = afterValue()
      i = end
    } else if ((char === '{' || char === '[') && expected.startsWith('value')) {
      if (open.length === DEPTH_MAX) throw broken(pointer(), `nested more than ${DEPTH_MAX} levels deep`)
      open.push(char === '{' ? { names: new Set(), token: '' } : { names: null, token: 0 })
      expected = char === '{' ? 'name or }' : 'value or ]'
      i++
    } else if (closes(char, level, expected)) {
      open.pop()
      expected = afterValue()
      i++
    } else if (char === ',' && level !== undefined && expected === ', or closing bracket') {
      if (typeof level.token === 'number') level.token++
      expected = level.names === null ? 'value' : 'name'
      i++
    } else if (char === ':' && expected === ':') {
      expected = 'value'
      i++
    } else {
      SCALAR.lastIndex = i
      if (!expected.startsWith('value') || !SCALAR.test(text)) throw fault()
      i = SCALAR.lastIndex
      expected = afterValue()
    }
  }
}

function closes(char: string | undefined, level: Level | undefined, expected: Expected): boolean {
  if (level === undefined) return false
  if (char === '}') return level.names !== null && (expected === 'name or }' || expected.startsWith(','))
  return char === ']' && level.names === null && (expected === 'value or ]' || expected.startsWith(','))
}

/** Index after the closing quote, or 0 when there is none. */
function endOfString(text: string, start: number): number {
  let i = start + 1
  for (;;) {
    const quote = text.indexOf('"', i)
    if (quote === -1) return 0
    let backslashes = 0
    while (text.charCodeAt(quote - 1 - backslashes) === 0x5c) backslashes++
    if (backslashes % 2 === 0) return quote + 1
    i = quote + 1
  }
}

function toText(literal: string): string {
  try {
    return String(JSON.parse(literal))
  } catch {
    return literal
  }
}

/** A place in a text, as people count. */
export function lineOf(text: string, position: number): string {
  const before = text.slice(0, position)
  return `line ${before.split('\n').length}, column ${before.length - before.lastIndexOf('\n')}`
}
