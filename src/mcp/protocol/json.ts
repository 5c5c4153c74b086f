/** Reads the JSON of messages strictly, within bounds. */
import { isUtf8 } from 'node:buffer'
import { isBeyondDigits, keepDigits, parseKeepingDigits } from '../../base/json/exact.ts'
import { jsonFaultText } from '../../base/json/fault.ts'
import { isMembers, type Members } from './message.ts'

/** Containers inside each other. At the bound the message is refused, so that nothing later can exhaust the stack. */
export const JSON_DEPTH_MAX = 100

/** What of a message costs memory when it is read, beside its texts. */
export interface JsonBounds {
  /** Objects and lists together; each takes about 60 bytes. */
  readonly containers: number
  /** Members of objects and items of lists together. */
  readonly values: number
}

/** Of a message of a caller, who may send many at once: 4 MB of `{},{}` would take a hundred. */
export const CALLER_BOUNDS: JsonBounds = { containers: 100_000, values: 500_000 }
const NO_BOUNDS: JsonBounds = { containers: Number.POSITIVE_INFINITY, values: Number.POSITIVE_INFINITY }

export type ReadJson =
  /** `text` is what was read. */
  | { readonly ok: true; readonly value: unknown; readonly text: string }
  | { readonly ok: false; readonly syntax: boolean; readonly reason: string }

/**
 * Reads a message strictly: UTF-8, JSON (RFC 8259), bounded depth, and no member named twice in the envelope,
 * `params` or `_meta`. Two JSON readers may pick different ones of a repeated member, and what one of them judged
 * the other would execute. A member named `__proto__` stays an ordinary member, and numbers keep their digits for `withDigits`.
 */
export function readJson(bytes: Uint8Array, bounds: JsonBounds = NO_BOUNDS): ReadJson {
  if (!isUtf8(bytes)) return { ok: false, syntax: true, reason: 'The body is not UTF-8' }
  const text = bufferOf(bytes).toString('utf8')
  const written = countMembers(bytes, bounds)
  if (typeof written === 'string') return { ok: false, syntax: false, reason: `The body ${written}` }
  let value: unknown
  try {
    value = parseKeepingDigits(text)
  } catch {
    return { ok: false, syntax: true, reason: `The body is not JSON: ${jsonFaultText(text)}` }
  }
  const level = repeatingLevel(value, written)
  if (level !== null) return { ok: false, syntax: false, reason: `A member of ${level} is given twice` }
  if (isBeyondDigits(text)) keepIds(value, bytes)
  return { ok: true, value, text }
}

/** Ids keep their digits in a long message, too. */
function keepIds(value: unknown, json: Uint8Array): void {
  const isLong = (one: unknown): one is Members =>
    isMembers(one) && typeof one['id'] === 'number' && !Number.isSafeInteger(one['id'])
  if (isLong(value)) {
    const written = idIn(json)
    if (written !== null) keepDigits(value, 'id', written)
  } else if (Array.isArray(value))
    // Unknown digits are those of no integer
    for (const one of value as readonly unknown[]) if (isLong(one)) keepDigits(one, 'id', '')
}

/** The number that the member `id` of a message is, as it is written; null where it is no number. */
function idIn(json: Uint8Array): string | null {
  let [depth, lastString] = [0, 0]
  for (let at = 0; at < json.length; at++) {
    const code = json[at]
    if (code === 0x22) {
      lastString = at
      at = endOfString(json, at)
      if (at === -1) return null
    } else if (code === 0x7b || code === 0x5b) depth++
    else if (code === 0x7d || code === 0x5d) depth--
    else if (code === 0x3a && depth === 1 && isNamed(json, lastString, 'id')) return numberAt(json, at + 1)
  }
  return null
}

/** The number that is written here, after spaces; null where there is none. */
function numberAt(json: Uint8Array, start: number): string | null {
  let at = start
  while (SPACES.has(json[at]!)) at++
  return /^-?[\d.eE+-]+/.exec(bufferOf(json).toString('latin1', at, at + ID_BYTES))?.[0] ?? null
}

const MARK = [0xef, 0xbb, 0xbf] as const

/** Bytes of UTF-8 without a byte order mark before them, which some servers write (RFC 8259 section 8.1 lets readers skip it). */
export function withoutMark(bytes: Uint8Array): Uint8Array {
  return MARK.every((byte, at) => bytes[at] === byte) ? bytes.subarray(MARK.length) : bytes
}

/** The same bytes. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Members by level, of all messages of a batch together. */
interface MemberCounts {
  message: number
  params: number
  meta: number
}

const TOO_DEEP = `is nested deeper than ${JSON_DEPTH_MAX}`
const tooMany = ({ containers }: JsonBounds): string => `has more than ${containers} objects and lists`

/** The level that has fewer members than were written: one of them took the place of another. */
function repeatingLevel(value: unknown, written: MemberCounts): string | null {
  const read: MemberCounts = { message: 0, params: 0, meta: 0 }
  if (Array.isArray(value)) for (const one of value as readonly unknown[]) addMembers(one, read)
  else addMembers(value, read)
  if (read.message !== written.message) return 'the message'
  if (read.params !== written.params) return 'params'
  return read.meta === written.meta ? null : '_meta'
}

function addMembers(message: unknown, counts: MemberCounts): void {
  if (!isMembers(message)) return
  counts.message += Object.keys(message).length
  const { params } = message
  if (!isMembers(params)) return
  counts.params += Object.keys(params).length
  const { _meta } = params
  if (isMembers(_meta)) counts.meta += Object.keys(_meta).length
}

/**
 * Counts the members as they are written, in one pass; a reason where the text is nested too deep or has too many values. Bytes of UTF-8 tell as much as characters here,
 * and are read faster. Only what JSON.parse accepts afterwards counts, so broken JSON may give any answer.
 */
function countMembers(json: Uint8Array, bounds: JsonBounds): MemberCounts | string {
  const counts: MemberCounts = { message: 0, params: 0, meta: 0 }
  let depth = 0
  /** Depth inside a message: 2 in a batch. */
  let base = 1
  let isMessage = false
  let isParams = false
  let isMeta = false
  let lastString = 0
  let [containers, separators] = [0, 0]
  for (let at = 0; at < json.length; at++) {
    const code = json[at]
    if (code === 0x22) {
      lastString = at
      at = endOfString(json, at)
      if (at === -1) return counts
    } else if (code === 0x2c) {
      if (++separators >= bounds.values) return `has more than ${bounds.values} members and items`
    } else if (code === 0x3a) {
      if (depth === base) counts.message++
      else if (depth === base + 1) counts.params += isParams ? 1 : 0
      else if (depth === base + 2) counts.meta += isMeta ? 1 : 0
    } else if (code === 0x7b) {
      if (++depth > JSON_DEPTH_MAX) return TOO_DEEP
      if (++containers > bounds.containers) return tooMany(bounds)
      if (depth === base) isMessage = true
      else if (depth === base + 1) isParams = isMessage && isNamed(json, lastString, 'params')
      else if (depth === base + 2) isMeta = isParams && isNamed(json, lastString, '_meta')
    } else if (code === 0x5b) {
      if (++depth > JSON_DEPTH_MAX) return TOO_DEEP
      if (++containers > bounds.containers) return tooMany(bounds)
      if (depth === 1) base = 2
    } else if (code === 0x7d || code === 0x5d) {
      if (depth === base) isMessage = false
      else if (depth === base + 1) isParams = false
      else if (depth === base + 2) isMeta = false
      depth--
    }
  }
  return counts
}

/** Of an id. Longer ones are refused. */
const ID_BYTES = 512
/** RFC 8259 section 2. */
const SPACES: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d])
/** Strings up to this length are read here, which costs less than to have them searched. */
const SHORT_BYTES = 256

/** Index of the closing quote of the string that opens at `start`, or -1. */
function endOfString(json: Uint8Array, start: number): number {
  for (let at = start + 1; ; ) {
    const near = Math.min(json.length, at + SHORT_BYTES)
    for (; at < near; at++) {
      const code = json[at]
      if (code === 0x22) return at
      // The character after a backslash does not end the string
      if (code === 0x5c) at++
    }
    const end = json.indexOf(0x22, at)
    if (end === -1) return -1
    let slashes = 0
    while (end - 1 - slashes >= at && json[end - 1 - slashes] === 0x5c) slashes++
    if (slashes % 2 === 0) return end
    // Text with one escaped quote mostly has more
    at = end + 1
  }
}

/** True when the string that opens at `start` says `name`; escapes are decoded, because `"p\u0061rams"` is `"params"`. */
function isNamed(json: Uint8Array, start: number, name: string): boolean {
  const end = endOfString(json, start)
  // Longer ones do not say it however they are written
  if (end - start - 1 < name.length || end - start - 1 > name.length * ESCAPED_CHARS) return false
  const quoted = bufferOf(json).toString('latin1', start, end + 1)
  if (!quoted.includes('\\')) return quoted.length === name.length + 2 && quoted.startsWith(name, 1)
  try {
    return JSON.parse(quoted) === name
  } catch {
    return false
  }
}

/** Of one character that is written as an escape of four digits. */
const ESCAPED_CHARS = 6
