import { hash } from 'node:crypto'

/** Plain data that survives JSON and structured clone unchanged. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** JSON with sorted object keys and without undefined members: equal data gives equal text (after RFC 8785). */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    item !== null && typeof item === 'object' && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  )
}

/** Content hash of plain data: SHA-256 of its canonical JSON, base64url without padding. */
export function contentHash(value: unknown): string {
  return hash('sha256', canonicalJson(value), 'base64url')
}
