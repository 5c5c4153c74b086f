/** Numbers, texts, objects, hashes, encodings, identifiers and JSON as text. Binary values do not exist: what is decoded has to be UTF-8. */
import { hash } from 'node:crypto'
import { parseWithLongTexts } from '../../json/exact.ts'
import { isPlain, type Plain } from '../../json/storable.ts'
import {
  type Evaluation,
  FAILED,
  type FunctionType,
  failed,
  isNumber,
  list,
  made,
  paySearch,
  payText,
  SPENT,
  spend,
  text,
  wholeNumber,
  withinInt,
} from './evaluation.ts'
import { isTime } from './times.ts'

const JSON_DEPTH_MAX = 100
const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const CODING_FUNCTIONS: Readonly<Record<string, FunctionType>> = {
  'hash.sha256': ofText('hash.sha256', (value) => hash('sha256', value)),
  // For systems that ask for it: no protection against forgery
  'hash.sha1': ofText('hash.sha1', (value) => hash('sha1', value)),
  'base64.encode': ofText('base64.encode', (value) => Buffer.from(value).toString('base64'), 4),
  'base64.decode': ofText('base64.decode', (value) => decoded(value, /^[A-Za-z0-9+/]*={0,2}$/, 'base64')),
  'base64url.encode': ofText('base64url.encode', (value) => Buffer.from(value).toString('base64url'), 4),
  'base64url.decode': ofText('base64url.decode', (value) =>
    decoded(value, /^[A-Za-z0-9_-]*={0,2}$/, 'base64url'),
  ),
  'url.encode': ofText('url.encode', (value) => encodeURIComponent(value.toWellFormed()), 9),
  'url.decode': ofText('url.decode', (value) => {
    try {
      return decodeURIComponent(value)
    } catch {
      return failed('url.decode takes text that is URL-encoded as UTF-8')
    }
  }),
  'json.parse': { takes: [1], signatures: ['json.parse(string): dyn'], call: parse },
  'json.stringify': { takes: [1], signatures: ['json.stringify(dyn): string'], call: stringify },
  uuid: {
    takes: [0],
    signatures: ['uuid(): string'],
    call: ({ ambient }) =>
      ambient === null ? failed('random values are not available here') : ambient.uuid(),
  },
}

/** @param growth how many times as long as its text the value may be */
function ofText(name: string, work: (value: string) => string, growth: number = 1): FunctionType {
  return {
    takes: [1],
    signatures: [`${name}(string): string`],
    call(run, [value]) {
      const given = text(run, value)
      spend(run, Math.floor((given.length * growth) / 1024))
      const result = work(given)
      payText(run, result.length)
      return result
    },
  }
}

function decoded(value: string, alphabet: RegExp, coding: 'base64' | 'base64url'): string {
  if (!alphabet.test(value) || value.replace(/=+$/, '').length % 4 === 1)
    failed(`${coding}.decode takes ${coding} text`)
  try {
    return UTF_8.decode(Buffer.from(value, coding))
  } catch {
    return failed(`${coding}.decode takes encoded text in UTF-8`)
  }
}

function parse(run: Evaluation, [value]: readonly unknown[]): unknown {
  const given = text(run, value)
  payText(run, given.length)
  if (depthOf(given) > JSON_DEPTH_MAX) failed(`JSON is nested at most ${JSON_DEPTH_MAX} levels deep`)
  try {
    return parseWithLongTexts(given)
  } catch {
    return failed('json.parse takes a text that is JSON')
  }
}

/** Levels of lists and objects of a text, as far as it is JSON. */
function depthOf(json: string): number {
  let [depth, deepest] = [0, 0]
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code === 0x22) {
      at++
      while (at < json.length && json.charCodeAt(at) !== 0x22) at += json.charCodeAt(at) === 0x5c ? 2 : 1
    } else if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth)
    else if (code === 0x5d || code === 0x7d) depth--
  }
  return deepest
}

function stringify(run: Evaluation, [value]: readonly unknown[]): string {
  const result = JSON.stringify(plainJson(run, value, 0))
  payText(run, result.length)
  return result
}

/** A copy that JSON can hold, paid by its size before it is written. */
function plainJson(run: Evaluation, value: unknown, depth: number): unknown {
  spend(run, 1)
  if (depth > JSON_DEPTH_MAX) failed(`JSON is nested at most ${JSON_DEPTH_MAX} levels deep`)
  if (typeof value === 'string') return text(run, value)
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'bigint' || typeof value === 'number') return finite(value)
  if (isTime(value)) return value.toText()
  if (Array.isArray(value)) return value.map((item) => plainJson(run, item, depth + 1))
  if (typeof value !== 'object' || value instanceof Uint8Array) throw FAILED
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [text(run, name), plainJson(run, item, depth + 1)]),
  )
}

/** A number that JSON can hold. */
function finite(value: number | bigint): number {
  const number = Number(value)
  if (!Number.isFinite(number)) failed('a number is not finite')
  if (typeof value === 'bigint' && !Number.isSafeInteger(number)) failed('an integer is too large for JSON')
  return number
}

/**
 * A value as JSON has it: integers are numbers, times are text. What the evaluation has not made stays the same object.
 */
export function toJsonValue(run: Evaluation, value: unknown): unknown {
  if (typeof value === 'bigint' || typeof value === 'number') return finite(value)
  if (isTime(value)) return value.toText()
  if (typeof value !== 'object' || value === null || run.made?.has(value) !== true) return value
  // A value that took few steps may contain the same list many times
  spend(run, 1)
  if (Array.isArray(value)) {
    spend(run, Math.floor(value.length / 16))
    return value.map((item) => toJsonValue(run, item))
  }
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, toJsonValue(run, item)]))
}

/** The largest number below which `math.random` chooses. */
const RANDOM_MAX = 2 ** 48

export const NUMBER_FUNCTIONS: Readonly<Record<string, FunctionType>> = {
  'math.abs': ofNumber(
    'abs',
    (value) => Math.abs(value),
    (value) => withinInt(value < 0n ? -value : value),
  ),
  'math.ceil': ofNumber('ceil', Math.ceil),
  'math.floor': ofNumber('floor', Math.floor),
  // Halves go away from zero, as the language has it
  'math.round': ofNumber('round', (value) => Math.sign(value) * Math.round(Math.abs(value))),
  'math.trunc': ofNumber('trunc', Math.trunc),
  'math.greatest': extreme('greatest', (a, b) => a >= b),
  'math.least': extreme('least', (a, b) => a <= b),
  'math.random': {
    takes: [1],
    signatures: ['math.random(int): int', 'math.random(double): int'],
    call: random,
  },
}

function ofNumber(
  name: string,
  double: (value: number) => number,
  integer: (value: bigint) => bigint = (value) => value,
): FunctionType {
  return {
    takes: [1],
    signatures: [`math.${name}(int): int`, `math.${name}(double): double`],
    call(_run, [value]) {
      if (typeof value === 'bigint') return integer(value)
      if (typeof value !== 'number') throw FAILED
      return double(value)
    },
  }
}

function extreme(name: string, isBefore: (a: number | bigint, b: number | bigint) => boolean): FunctionType {
  const types = ['int', 'double']
  const pairs = types.flatMap((a) => types.map((b) => [a, b]))
  const all = [...pairs, ...pairs.flatMap((pair) => types.map((c) => [...pair, c]))]
  return {
    takes: [2, 3],
    signatures: all.map((given) => `math.${name}(${given.join(', ')}): dyn`),
    call: (_run, given) =>
      given.reduce((best, value) => {
        if (!isNumber(best) || !isNumber(value)) throw FAILED
        return isBefore(best, value) ? best : value
      }),
  }
}

/** A whole number from 0 to `max` - 1, each as likely. No secret: the numbers can be guessed. */
function random({ ambient }: Evaluation, [max]: readonly unknown[]): bigint {
  const below = wholeNumber(max, 1, RANDOM_MAX)
  if (ambient === null) failed('random values are not available here')
  return BigInt(Math.floor(ambient.random() * below))
}

// Functions on text. Places and lengths count code points, as in the specification of the language.

/** Places at which a text is replaced that cost one step. */
const PLACES_PER_STEP = 64

export const TEXT_FUNCTIONS: Readonly<Record<string, FunctionType>> = {
  trim: { takes: [1], signatures: [], call: (run, [value]) => text(run, value).trim() },
  split: { takes: [2, 3], signatures: [], call: split },
  join: { takes: [1, 2], signatures: [], call: join },
  replace: {
    takes: [3, 4],
    signatures: ['string.replace(string, string): string', 'string.replace(string, string, int): string'],
    call: replace,
  },
  substring: { takes: [2, 3], signatures: [], call: substring },
  indexOf: { takes: [2], signatures: [], call: indexOf },
  padStart: {
    takes: [2, 3],
    signatures: ['string.padStart(int): string', 'string.padStart(int, string): string'],
    call: (run, given) => pad(run, given, true),
  },
  padEnd: {
    takes: [2, 3],
    signatures: ['string.padEnd(int): string', 'string.padEnd(int, string): string'],
    call: (run, given) => pad(run, given, false),
  },
}

/** The last part has the rest where there are more parts than the limit; a limit below 0 is none. */
function split(run: Evaluation, [value, by, limit]: readonly unknown[]): readonly string[] {
  const [whole, part] = [text(run, value), text(run, by)]
  const max = limit === undefined ? -1 : wholeNumber(limit, -1, Number.MAX_SAFE_INTEGER)
  paySearch(run, whole, part)
  if (max === 0) return made(run, [])
  // One more than can be paid
  const parts = whole.split(part, run.steps + 1)
  spend(run, parts.length)
  if (max < 0 || parts.length <= max) return made(run, parts)
  return made(run, [...parts.slice(0, max - 1), parts.slice(max - 1).join(part)])
}

function join(run: Evaluation, [values, by]: readonly unknown[]): string {
  const items = list(run, values)
  const between = by === undefined ? '' : text(run, by)
  let chars = between.length * Math.max(0, items.length - 1)
  for (const item of items) {
    if (typeof item !== 'string') failed('join takes a list of texts')
    chars += item.length
  }
  payText(run, chars)
  return items.join(between)
}

/** Replaces text, not patterns; at most as often as the limit says. */
function replace(run: Evaluation, [value, from, to, limit]: readonly unknown[]): string {
  const [whole, part, by] = [text(run, value), text(run, from), text(run, to)]
  const max = limit === undefined ? -1 : wholeNumber(limit, -1, Number.MAX_SAFE_INTEGER)
  if (part === '') failed('replace needs a text to look for')
  paySearch(run, whole, part)
  const placesMax = run.steps * PLACES_PER_STEP
  const parts = whole.split(part, placesMax + 2)
  // The rest of the text would be missing
  if (parts.length > placesMax + 1) throw SPENT
  const count = max < 0 ? parts.length - 1 : Math.min(max, parts.length - 1)
  payText(run, whole.length + count * (by.length - part.length))
  spend(run, Math.floor(count / PLACES_PER_STEP))
  return [parts.slice(0, count + 1).join(by), ...parts.slice(count + 1)].join(part)
}

function substring(run: Evaluation, [value, from, to]: readonly unknown[]): string {
  const chars = Array.from(text(run, value))
  const start = wholeNumber(from, 0, chars.length)
  const end = to === undefined ? chars.length : wholeNumber(to, start, chars.length)
  return chars.slice(start, end).join('')
}

/** -1 where the text is not found. */
function indexOf(run: Evaluation, [value, part]: readonly unknown[]): bigint {
  const [whole, searched] = [text(run, value), text(run, part)]
  paySearch(run, whole, searched)
  const at = whole.indexOf(searched)
  return BigInt(at <= 0 ? at : Array.from(whole.slice(0, at)).length)
}

function pad(run: Evaluation, [value, length, by]: readonly unknown[], isStart: boolean): string {
  const whole = text(run, value)
  const fill = by === undefined ? ' ' : text(run, by)
  if (fill === '') throw FAILED
  const target = wholeNumber(length, 0, Number.MAX_SAFE_INTEGER)
  const missing = target - Array.from(whole).length
  if (missing <= 0) return whole
  const chars = Array.from(fill)
  payText(run, whole.length + missing * 2)
  const padding =
    fill.repeat(Math.floor(missing / chars.length)) + chars.slice(0, missing % chars.length).join('')
  return isStart ? padding + whole : whole + padding
}

/** Members that a path of `get` names. */
const PATH_MAX = 32

export const OBJECT_FUNCTIONS: Readonly<Record<string, FunctionType>> = {
  keys: {
    takes: [1],
    signatures: ['map.keys(): list<string>'],
    call: (run, [value]) => made(run, namesOf(run, value)),
  },
  values: {
    takes: [1],
    signatures: ['map.values(): list<dyn>'],
    call: (run, [value]) =>
      made(
        run,
        namesOf(run, value).map((name) => (value as Plain)[name]),
      ),
  },
  get: {
    takes: [2, 3],
    signatures: ['map', 'list'].flatMap((type) =>
      ['string', 'list<dyn>'].flatMap((path) => [
        `${type}.get(${path}): dyn`,
        `${type}.get(${path}, dyn): dyn`,
      ]),
    ),
    call: get,
  },
  pick: {
    takes: [2],
    signatures: ['map.pick(list): map<string, dyn>'],
    call: (run, [value, wanted]) => chosen(run, value, wanted, true),
  },
  omit: {
    takes: [2],
    signatures: ['map.omit(list): map<string, dyn>'],
    call: (run, [value, unwanted]) => chosen(run, value, unwanted, false),
  },
  merge: {
    takes: [2],
    signatures: ['map.merge(map): map<string, dyn>'],
    call: (run, [value, other]) =>
      objectOf(
        run,
        [value, other].flatMap((one) =>
          namesOf(run, one).map((name) => [name, (one as Plain)[name]] as const),
        ),
      ),
  },
}

/** An object that the evaluation has made. `__proto__` is a name like any other. */
export function objectOf(run: Evaluation, members: Iterable<readonly [string, unknown]>): Plain {
  return made(run, Object.fromEntries(members))
}

function namesOf(run: Evaluation, value: unknown): string[] {
  if (!isPlain(value)) throw FAILED
  const names = Object.keys(value)
  spend(run, names.length)
  return names
}

/**
 * The member at a path, such as `a.b.0` or `["a", "b", 0]`; the default, or null, where there is none. A member that is null is
 * there.
 */
function get(run: Evaluation, [value, path, other = null]: readonly unknown[]): unknown {
  const keys = Array.isArray(path) ? list(run, path) : text(run, path).split('.', PATH_MAX + 1)
  if (keys.length > PATH_MAX) failed(`a path has at most ${PATH_MAX} members`)
  spend(run, keys.length)
  let found = value
  for (const key of keys) {
    const name =
      typeof key === 'string' ? key : typeof key === 'bigint' || typeof key === 'number' ? String(key) : null
    if (name === null) failed('a path has texts and whole numbers')
    if (Array.isArray(found) && !/^(?:0|[1-9]\d{0,8})$/.test(name)) return other
    if (ArrayBuffer.isView(found))
      failed('a body that is neither text nor the JSON that its media type declares has no members')
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return other
    found = (found as Plain)[name]
  }
  return found
}

function chosen(run: Evaluation, value: unknown, listed: unknown, isKept: boolean): Plain {
  const names = new Set(list(run, listed).map((name) => text(run, name)))
  return objectOf(
    run,
    namesOf(run, value)
      .filter((name) => names.has(name) === isKept)
      .map((name) => [name, (value as Plain)[name]] as const),
  )
}
