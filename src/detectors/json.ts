/**
 * Detectors on a JSON value: on each text, and on the names of members if that is asked for. The result is always JSON.
 *
 * Whole numbers of 7 digits and more are judged as their digits, without a sign. A number that is found becomes a text, such
 * as `"********1111"`. Numbers beyond 2^53 lost digits when they were parsed, and may not be found.
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
import { isPlain, type Plain } from '../base/json/storable.ts'
import { type Act, acted, countHits, type Hits } from './act.ts'
import type { Detectors } from './compile.ts'

/** Lists and objects within each other. Deeper values are refused: no check of a body lets them through either. */
const DEPTH_MAX = 1000
/** The smallest number of as many digits as something to find has. */
const NUMBER_MIN = 1_000_000

/** What is done with a value. */
export interface JsonAction {
  readonly detectors: Detectors
  readonly act: Act
  /** Looks at names of members too. */
  readonly names?: boolean
}

/**
 * The value with everything acted on that the detectors find, counted in `hits`. What has nothing to act on is the same
 * object as before; nothing is changed in place.
 * @param name The name of the member that holds the value.
 * @throws RangeError for a value of more than 1,000 levels.
 */
export function actedJson(value: unknown, action: JsonAction, hits: Hits, name = '', depth = 0): unknown {
  if (typeof value === 'string') return actedText(value, action, hits, name)
  if (typeof value === 'number') return actedNumber(value, action, hits, name)
  if (value === null || typeof value !== 'object') return value
  if (depth === DEPTH_MAX)
    throw new RangeError(`the value has more than ${DEPTH_MAX} levels of lists and objects`)
  if (Array.isArray(value)) return actedList(value, action, hits, name, depth)
  return isPlain(value) ? actedObject(value, action, hits, depth) : value
}

function actedText(text: string, { detectors, act }: JsonAction, hits: Hits, name: string): string {
  const spans = detectors.find(text, name)
  if (spans.length === 0) return text
  countHits(hits, spans)
  return acted(text, spans, act)
}

/** What is looked at of a number; null for one that is short or not whole. */
function wholeDigits(number: number): string | null {
  const size = Math.abs(number)
  return Number.isInteger(size) && size >= NUMBER_MIN ? String(size) : null
}

function actedNumber(number: number, action: JsonAction, hits: Hits, name: string): number | string {
  const text = wholeDigits(number)
  if (text === null) return number
  const after = actedText(text, action, hits, name)
  return after === text ? number : after
}

function actedList(
  list: readonly unknown[],
  action: JsonAction,
  hits: Hits,
  name: string,
  depth: number,
): unknown {
  let changed: unknown[] | null = null
  for (let index = 0; index < list.length; index++) {
    const item = list[index]
    const after = actedJson(item, action, hits, name, depth + 1)
    if (after !== item) changed ??= list.slice()
    if (changed !== null) changed[index] = after
  }
  return changed ?? list
}

function actedObject(object: Plain, action: JsonAction, hits: Hits, depth: number): unknown {
  const names = Object.keys(object)
  /** By the place of their names, once one differs. */
  let changed: unknown[] | null = null
  for (let index = 0; index < names.length; index++) {
    const value = object[names[index]!]
    const after = actedJson(value, action, hits, names[index], depth + 1)
    if (after !== value) changed ??= Object.values(object)
    if (changed !== null) changed[index] = after
  }
  const named = action.names === true ? names.map((name) => actedText(name, action, hits, '')) : names
  if (changed === null && named.every((name, index) => name === names[index])) return object
  const values = changed ?? Object.values(object)
  return objectOf(named.map((name, index) => [name, values[index]]))
}

/** The object of these members. Names that have become equal get a number, so that no member is lost. */
function objectOf(members: readonly [string, unknown][]): Plain {
  const taken = new Set<string>()
  const unique = members.map(([name, value]): [string, unknown] => {
    let free = name
    for (let count = 2; taken.has(free); count++) free = `${name} ${count}`
    taken.add(free)
    return [free, value]
  })
  return Object.fromEntries(unique)
}

// Detectors on the text of a JSON value: on each string, name of a member and whole number. Only findings change. All other
// bytes stay, so numbers keep their digits, and a repeated member is judged twice.

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
