import { hash } from 'node:crypto'

/** Plain data that survives JSON and structured clone unchanged. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** JSON with sorted object keys and without undefined members: equal data gives equal text (after RFC 8785). */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(ordered(value))
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
