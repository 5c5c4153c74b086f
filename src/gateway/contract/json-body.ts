import { isExactNumber } from '../../base/decimal.ts'
import { parseEscapedNames } from '../../base/escaped-names.ts'

/**
 * Reading of JSON bodies that a later reader must understand in the same way: a member that stands twice, or nesting
 * that one parser refuses and another does not, would let a body say one thing here and another thing there.
 */
const DEPTH_MAX = 100
const NO_NUMBERS: ReadonlySet<number> = new Set()
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export type ReadBody =
  | {
      readonly ok: true
      readonly value: unknown
      /** Doubles that stand for numbers that they do not hold exactly. */
      readonly inexact: ReadonlySet<number>
    }
  | { readonly ok: false; readonly reason: string }

/** The value of a body (RFC 8259), or one sentence on why it has none. */
export function readJsonBody(body: Uint8Array): ReadBody {
  let text: string
  try {
    text = utf8.decode(body)
  } catch {
    return { ok: false, reason: 'must be UTF-8' }
  }
  if (text.charCodeAt(0) === 0xfeff) return { ok: false, reason: 'must not begin with a byte order mark' }
  const found = look(text)
  if (found.doubt !== null) return { ok: false, reason: found.doubt }
  try {
    const plain: unknown = JSON.parse(text)
    const value = found.hasEscapedNames ? parseEscapedNames(text) : plain
    return { ok: true, value, inexact: inexactIn(text) }
  } catch {
    return { ok: false, reason: 'must be JSON' }
  }
}

/** Stands in every text with a number that a double may not hold. */
const LONG = /\d[\d.]{14}|[eE][+-]?\d\d/

/** The doubles of a JSON text that are not the numbers that were written. */
function inexactIn(text: string): ReadonlySet<number> {
  if (!LONG.test(text)) return NO_NUMBERS
  const found = new Set<number>()
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at)
    else if (code === 0x2d || (code >= 0x30 && code <= 0x39)) {
      NUMBER.lastIndex = at
      const number = NUMBER.exec(text)![0]
      if (!isExactNumber(number)) found.add(Number(number))
      at += number.length - 1
    }
  }
  return found
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * What makes readers differ: a member that stands twice, or more nesting than some allow; and whether names have escapes.
 * Text that is no JSON at all is left to the parser. Linear in the text.
 */
function look(text: string): { readonly doubt: string | null; readonly hasEscapedNames: boolean } {
  let hasEscapedNames = false
  const doubted = (doubt: string | null) => ({ doubt, hasEscapedNames })
  /** Names of the open objects; null for a list. */
  const open: (Set<string> | null)[] = []
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      const end = endOfString(text, at)
      if (end === -1) return doubted(null)
      const names = open.at(-1)
      if (names != null && isName(text, end)) {
        const literal = text.slice(at, end + 1)
        const name = nameOf(literal)
        if (name === null) return doubted(null)
        if (literal.includes('\\')) hasEscapedNames = true
        if (names.has(name))
          return doubted(`has the member ${JSON.stringify(name.slice(0, 80))} twice in one object`)
        names.add(name)
      }
      at = end
    } else if (code === 0x7b || code === 0x5b) {
      if (open.length === DEPTH_MAX) return doubted(`is nested more than ${DEPTH_MAX} deep`)
      open.push(code === 0x7b ? new Set() : null)
    } else if (code === 0x7d || code === 0x5d) open.pop()
  }
  return doubted(null)
}

/** Place of the closing quote, or -1. */
function endOfString(text: string, at: number): number {
  for (let end = at + 1; end < text.length; end++) {
    const code = text.charCodeAt(end)
    if (code === BACKSLASH) end++
    else if (code === QUOTE) return end
  }
  return -1
}

/** A colon follows the string that ends here. */
function isName(text: string, end: number): boolean {
  for (let at = end + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x3a) return true
    if (code !== 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) return false
  }
  return false
}

function nameOf(literal: string): string | null {
  if (!literal.includes('\\')) return literal.slice(1, -1)
  try {
    return JSON.parse(literal) as string
  } catch {
    return null
  }
}
