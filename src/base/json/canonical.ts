/** Values as JSON text: within a bound, in canonical form, as a hash, and compressed. */
import { hash } from 'node:crypto'
import { promisify } from 'node:util'
import { deflateRaw, deflateRawSync, inflateRawSync } from 'node:zlib'

/**
 * The JSON of a value; null if it is longer than `charsMax` characters. Its length is estimated before it is written, so a value
 * that is too long costs neither its memory nor its time. Bytes and functions are written as `JSON.stringify` writes them.
 */
export function jsonWithin(value: unknown, charsMax: number): string | null {
  if (!mayFit(value, charsMax)) return null
  // A value without JSON, such as undefined, stands for null
  const json = (JSON.stringify(value) as string | undefined) ?? 'null'
  return json.length <= charsMax ? json : null
}

/** False if the JSON of a value is longer than `charsMax` characters whatever it escapes. It costs no memory. */
export function mayFit(value: unknown, charsMax: number): boolean {
  return charsLeft(value, charsMax) >= 0
}

/** What is left of `left` characters after the JSON of a value, escapes not counted; negative if they do not suffice. */
function charsLeft(value: unknown, left: number): number {
  if (typeof value === 'string') return left - value.length - 2
  if (typeof value !== 'object' || value === null) return left - 1
  let rest = left - 2
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) {
      if (rest < 0) return rest
      rest = charsLeft(item, rest)
    }
    return rest
  }
  if (ArrayBuffer.isView(value)) return rest - value.byteLength
  for (const name of Object.keys(value)) {
    if (rest < 0) return rest
    rest = charsLeft((value as Record<string, unknown>)[name], rest - name.length - 3)
  }
  return rest
}

/** Plain data that survives JSON and structured clone unchanged. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** JSON with sorted object keys and without undefined members: equal data gives equal text (after RFC 8785). */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(ordered(value))
}

/** Characters of a value that is written at once. */
const PART_CHARS = 16_384
/** Characters of a long string that are written at once. */
const STRING_CHARS = 262_144

/** The text that {@link canonicalJson} makes of plain data, with a pause after each part. */
export function* canonicalJsonPaused(value: unknown): Generator<void, string> {
  if (typeof value === 'string' && value.length > STRING_CHARS) return yield* longString(value)
  if (value === null || typeof value !== 'object' || mayFit(value, PART_CHARS)) {
    yield
    return canonicalJson(value)
  }
  if (Array.isArray(value)) {
    const items: string[] = []
    for (const item of value) items.push(item === undefined ? 'null' : yield* canonicalJsonPaused(item))
    return `[${items.join()}]`
  }
  const members: string[] = []
  for (const name of namesInOrder(value)) {
    const item: unknown = (value as Readonly<Record<string, unknown>>)[name]
    if (item !== undefined) members.push(`${JSON.stringify(name)}:${yield* canonicalJsonPaused(item)}`)
  }
  return `{${members.join()}}`
}

/** Sorted, but names that are numbers come first, as they do in every object. */
function namesInOrder(value: object): string[] {
  return Object.keys(
    Object.fromEntries(
      Object.keys(value)
        .sort()
        .map((name) => [name, null]),
    ),
  )
}

function* longString(text: string): Generator<void, string> {
  const parts: string[] = []
  for (const part of stringParts(text)) {
    parts.push(part)
    yield
  }
  return `"${parts.join('')}"`
}

/** What `JSON.stringify` makes of a long string, without the quotes, in parts that are strings of JSON each. */
export function* stringParts(text: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    let end = Math.min(at + STRING_CHARS, text.length)
    // Half of a character would be written as an escape
    if ((text.charCodeAt(end - 1) & 0xfc00) === 0xd800) end--
    yield JSON.stringify(text.slice(at, Math.max(end, at + 1))).slice(1, -1)
    at = Math.max(end, at + 1)
  }
}

/** Data with sorted keys: what is sorted already is not copied, since `JSON.stringify` is much faster than a replacer. */
function ordered(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) {
    let copy: unknown[] | null = null
    for (let at = 0; at < value.length; at++) {
      const item: unknown = value[at]
      const next = ordered(item)
      if (next === item) continue
      copy ??= [...value]
      copy[at] = next
    }
    return copy ?? value
  }
  if ('toJSON' in value && typeof value.toJSON === 'function') return ordered(value.toJSON())
  const entries = Object.entries(value)
  let isOrdered = true
  for (let at = 0; at < entries.length; at++) {
    const [name, item] = entries[at]!
    const next = ordered(item)
    isOrdered &&= next === item && (at === 0 || entries[at - 1]![0] < name)
    entries[at]![1] = next
  }
  return isOrdered ? value : Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Content hash of plain data: SHA-256 of its canonical JSON, base64url without padding. */
export function contentHash(value: unknown): string {
  return textHash(canonicalJson(value))
}

/** SHA-256 of a text, base64url without padding. */
export function textHash(text: string): string {
  return hash('sha256', text, 'base64url')
}

// Large JSON texts as they are stored and sent: compressed. Schemas and contracts of an API description are much alike, and take about a
// tenth. What writes, hashes, keeps and sends them then takes a tenth of the time.

/** Characters up to which a text stays as it is. */
const PLAIN_CHARS_MAX = 65_536
/** Characters of what a text of {@link packJson} becomes: far above what is imported, and a bound for what was stored by others. */
const UNPACKED_BYTES_MAX = 512 * 1024 ** 2
/** No JSON begins with it. */
const PREFIX = 'deflate:'
/** The least that compresses well. */
const LEVEL = 1

/** A text of JSON, compressed if it is long. It takes about a second for 50 MB. */
export function packJson(json: string): string {
  if (json.length <= PLAIN_CHARS_MAX) return json
  return PREFIX + deflateRawSync(json, { level: LEVEL }).toString('base64')
}

/** The same, without holding the thread. */
export async function packJsonBeside(json: string): Promise<string> {
  if (json.length <= PLAIN_CHARS_MAX) return json
  return PREFIX + (await deflate(json, { level: LEVEL })).toString('base64')
}

const deflate = promisify<string, { readonly level: number }, Buffer>(deflateRaw)

/** True for a text that {@link packJson} has compressed. */
export function isPacked(text: string): boolean {
  return text.startsWith(PREFIX)
}

/** The text that {@link packJson} was given, also of one that an earlier version did not compress. Throws for what it has not made. */
export function unpackJson(text: string): string {
  if (!isPacked(text)) return text
  const packed = Buffer.from(text.slice(PREFIX.length), 'base64')
  return inflateRawSync(packed, { maxOutputLength: UNPACKED_BYTES_MAX }).toString()
}
