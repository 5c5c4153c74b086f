import { hash } from 'node:crypto'
import { mayFit } from './bounded-json.ts'

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
  for (let at = 0; at < text.length; ) {
    let end = Math.min(at + STRING_CHARS, text.length)
    // Half of a character would be written as an escape
    if ((text.charCodeAt(end - 1) & 0xfc00) === 0xd800) end--
    parts.push(JSON.stringify(text.slice(at, Math.max(end, at + 1))).slice(1, -1))
    at = Math.max(end, at + 1)
    yield
  }
  return `"${parts.join('')}"`
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
