import { grammarFaultOf } from '../../base/json/fault.ts'
import { parseEscapedNames, stringOf } from '../../base/json/scan.ts'
import { pointerTo } from '../../base/json/storable.ts'
import { broken, DEPTH_MAX, toPlain } from './plain-data.ts'

/** An open bracket: the names seen in an object, and the member or index that is being read. */
interface Level {
  readonly names: Set<string> | null
  token: string | number
}

/**
 * Reads JSON strictly, and says where it is broken: by pointer, line and column. A member that stands twice is
 * refused (RFC 8259 section 4 leaves its meaning open, and `get` twice in one path is a mistake worth knowing).
 */
export function readJson(text: string): unknown {
  const open: Level[] = []
  let hasEscapes = false
  const pointer = (): string => pointerTo('', ...open.map((level) => level.token))
  const fault = grammarFaultOf(text, {
    opened(isObject) {
      if (open.length === DEPTH_MAX) throw broken(pointer(), `nested more than ${DEPTH_MAX} levels deep`)
      open.push(isObject ? { names: new Set(), token: '' } : { names: null, token: 0 })
    },
    named(literal) {
      const level = open.at(-1)!
      const name = stringOf(literal)!
      if (literal.includes('\\')) hasEscapes = true
      level.token = name
      if (level.names!.has(name)) throw broken(pointer(), 'this member occurs twice')
      level.names!.add(name)
    },
    separated() {
      const level = open.at(-1)!
      if (typeof level.token === 'number') level.token++
    },
    closed: () => void open.pop(),
  })
  if (fault === null) return toPlain(hasEscapes ? parseEscapedNames(text) : JSON.parse(text))
  const { at, want, string } = fault
  if (string !== -1) {
    const why = at === text.length ? 'does not end' : 'has an invalid escape or control character'
    throw broken(pointer(), `not JSON: the text at ${lineOf(text, string)} ${why}`)
  }
  const found =
    at < text.length ? `"${String.fromCodePoint(text.codePointAt(at)!)}" at ${lineOf(text, at)}` : 'the end'
  throw broken(pointer(), `not JSON: ${want} expected, not ${found}`)
}

/** A place in a text, as people count. */
export function lineOf(text: string, position: number): string {
  const before = text.slice(0, position)
  return `line ${before.split('\n').length}, column ${before.length - before.lastIndexOf('\n')}`
}
