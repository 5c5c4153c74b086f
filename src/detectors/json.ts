/**
 * Detectors on a JSON value: on each text, and on the names of members if that is asked for. The result is always JSON.
 *
 * Whole numbers of 7 digits and more are judged as their digits, without a sign. A number that is found becomes a text, such
 * as `"********1111"`. Numbers beyond 2^53 lost digits when they were parsed, and may not be found.
 */
import { isPlain, type Plain } from '../base/json/plain.ts'
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
export function wholeDigits(number: number): string | null {
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
