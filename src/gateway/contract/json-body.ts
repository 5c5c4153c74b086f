import { isExactNumber } from '../../base/json/exact.ts'
import {
  beginsNumber,
  endOfString,
  lookAtNames,
  numberAt,
  parseEscapedNames,
  QUOTE,
} from '../../base/json/scan.ts'

/**
 * Reading of JSON bodies that a later reader must understand in the same way: a member that stands twice, or nesting
 * that one parser refuses and another does not, would let a body say one thing here and another thing there.
 */
const DEPTH_MAX = 100
const NO_NUMBERS: ReadonlySet<number> = new Set()

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
  const { doubt, hasEscapes } = lookAtNames(text, DEPTH_MAX)
  if (doubt === 'deep') return { ok: false, reason: `is nested more than ${DEPTH_MAX} deep` }
  if (doubt !== null) {
    const name = JSON.stringify(doubt.twice.slice(0, 80))
    return { ok: false, reason: `has the member ${name} twice in one object` }
  }
  try {
    const plain: unknown = JSON.parse(text)
    const value = hasEscapes ? parseEscapedNames(text) : plain
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
    if (code === QUOTE) at = endOfString(text, at) - 1
    else if (beginsNumber(code)) {
      const number = numberAt(text, at)
      if (!isExactNumber(number)) found.add(Number(number))
      at += number.length - 1
    }
  }
  return found
}
