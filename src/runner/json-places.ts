/**
 * Finds values in the text of JSON and replaces them, so that all other bytes of a message stay as they are: numbers
 * beyond 2^53, the order of members, spaces. The text must be valid JSON, which the caller has parsed before.
 */

import {
  CLOSE_LIST,
  CLOSE_OBJECT,
  COMMA,
  endOfString,
  OPEN_LIST,
  OPEN_OBJECT,
  QUOTE,
  skipSpace,
  stringOf,
} from '../base/json/scan.ts'

/** A part of a text: from, and to exclusive. */
export interface Place {
  readonly from: number
  readonly to: number
}

/** Replaces a part of a text. */
export interface Edit extends Place {
  readonly text: string
}

/** The place of the value under these member names; null where there is none. */
export function placeOf(text: string, ...names: readonly string[]): Place | null {
  let place: Place = { from: skipSpace(text, 0), to: text.length }
  for (const name of names) {
    const inner = memberOf(text, place.from, name)
    if (inner === null) return null
    place = inner
  }
  return place
}

/** The text with its edits, which must not overlap. */
export function edited(text: string, edits: readonly Edit[]): string {
  let result = ''
  let at = 0
  for (const edit of edits.toSorted((a, b) => a.from - b.from)) {
    result += text.slice(at, edit.from) + edit.text
    at = edit.to
  }
  return result + text.slice(at)
}

/** The place of one member's value in the object that begins at `from`. */
function memberOf(text: string, from: number, name: string): Place | null {
  if (text.charCodeAt(from) !== OPEN_OBJECT) return null
  let at = skipSpace(text, from + 1)
  while (text.charCodeAt(at) === QUOTE) {
    const nameEnd = endOfString(text, at)
    const literal = text.slice(at, nameEnd)
    const valueAt = skipSpace(text, skipSpace(text, nameEnd) + 1)
    const valueEnd = endOfValue(text, valueAt)
    const found = stringOf(literal)
    if (found === name) return { from: valueAt, to: valueEnd }
    at = skipSpace(text, valueEnd)
    if (text.charCodeAt(at) !== COMMA) return null
    at = skipSpace(text, at + 1)
  }
  return null
}

function endOfValue(text: string, from: number): number {
  const first = text.charCodeAt(from)
  if (first === QUOTE) return endOfString(text, from)
  if (first !== OPEN_OBJECT && first !== OPEN_LIST) {
    let end = from
    while (end < text.length && !',]} \t\n\r'.includes(text[end]!)) end++
    return end
  }
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at) - 1
    else if (code === OPEN_OBJECT || code === OPEN_LIST) depth++
    else if (code === CLOSE_OBJECT || code === CLOSE_LIST) {
      depth--
      if (depth === 0) return at + 1
    }
  }
  return text.length
}
