/** Reading JSON pointers (RFC 6901): plain in messages, as a URI fragment in `$ref`. */
import { tokenText } from '../../base/json/storable.ts'

/**
 * Tokens of a `$ref` into the same document (`#`, `#/components/schemas/Order`), or null for everything else:
 * other documents, plain-name anchors, broken escapes (RFC 6901 sections 3 and 6).
 */
export function localTokens(reference: string): string[] | null {
  if (reference === '#') return []
  if (!reference.startsWith('#/')) return null
  const tokens: string[] = []
  for (const part of reference.slice(2).split('/')) {
    let text: string
    try {
      text = decodeURIComponent(part)
    } catch {
      return null
    }
    if (/~(?![01])/.test(text)) return null
    tokens.push(tokenText(text))
  }
  return tokens
}

/** Tokens of a plain pointer that was made here. */
export function tokensOf(pointer: string): string[] {
  return pointer.split('/').slice(1).map(tokenText)
}

/** What stands at the tokens, or undefined. Looks only at own members, so `constructor` finds nothing. */
export function lookUp(document: unknown, tokens: readonly string[]): unknown {
  let value = document
  for (const token of tokens) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, token)) return undefined
    if (Array.isArray(value) && !/^(0|[1-9][0-9]*)$/.test(token)) return undefined
    // Own member of a plain object or array that was read from JSON or YAML.
    value = (value as Record<string, unknown>)[token]
  }
  return value
}
