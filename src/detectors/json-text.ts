/**
 * Detectors on the text of a JSON value: on each string, name of a member and whole number. Only findings change. All other
 * bytes stay, so numbers keep their digits, and a repeated member is judged twice.
 */
import {
  beginsNumber,
  CLOSE_LIST,
  CLOSE_OBJECT,
  endOfString,
  isName,
  numberAt,
  OPEN_LIST,
  OPEN_OBJECT,
  QUOTE,
  stringOf,
} from '../base/json/scan.ts'
import { acted, countHits, type Hits } from './act.ts'
import { type JsonAction, wholeDigits } from './json.ts'

/** The shortest run of digits that is looked at, as in `json.ts`. */
const LONG_NUMBER = /^-?([1-9]\d{6,})$/

/** All digits of a whole number, also of one that is written as `4111111111111111.0` or `4.5e6`; null for others. */
function digitsOf(number: string): string | null {
  return LONG_NUMBER.exec(number)?.[1] ?? (/[.eE]/.test(number) ? wholeDigits(Number(number)) : null)
}

/** The text with everything acted on that the detectors find, counted in `hits`. @param text JSON (RFC 8259); what is none gives some text */
export function actedJsonText(
  text: string,
  { detectors, act }: Pick<JsonAction, 'detectors' | 'act'>,
  hits: Hits,
): string {
  /** For each open object or list the name of the member whose value is read. */
  const names: string[] = ['']
  /** The names that were changed in each of them; null before the first. */
  const taken: (Map<string, number> | null)[] = [null]
  let out = ''
  let copied = 0

  function changed(value: string, name: string): string {
    const spans = detectors.find(value, name)
    if (spans.length === 0) return value
    countHits(hits, spans)
    return acted(value, spans, act)
  }

  function put(from: number, to: number, value: string): void {
    out += text.slice(copied, from) + JSON.stringify(value)
    copied = to
  }

  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      const end = endOfString(text, at)
      const literal = text.slice(at, end)
      const value = stringOf(literal) ?? literal.slice(1, -1)
      if (isName(text, end)) {
        names[names.length - 1] = value
        const after = changed(value, '')
        if (after !== value) {
          taken[taken.length - 1] ??= new Map()
          put(at, end, unlike(after, taken[taken.length - 1]!))
        }
      } else {
        const after = changed(value, names[names.length - 1]!)
        if (after !== value) put(at, end, after)
      }
      at = end - 1
    } else if (code === OPEN_OBJECT || code === OPEN_LIST) {
      names.push(code === OPEN_LIST ? names[names.length - 1]! : '')
      taken.push(null)
    } else if ((code === CLOSE_OBJECT || code === CLOSE_LIST) && names.length > 1) {
      names.pop()
      taken.pop()
    } else if (beginsNumber(code)) {
      const number = numberAt(text, at)
      const digits = digitsOf(number)
      if (digits !== null) {
        const after = changed(digits, names[names.length - 1]!)
        if (after !== digits) put(at, at + number.length, after)
      }
      at += number.length - 1
    }
  }
  return copied === 0 ? text : out + text.slice(copied)
}

/** The name, with a number where another name has become the same, so that no member is lost. */
function unlike(name: string, taken: Map<string, number>): string {
  const count = (taken.get(name) ?? 0) + 1
  taken.set(name, count)
  return count === 1 ? name : `${name} ${count}`
}
