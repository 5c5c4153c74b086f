import { codeAt, isBase64Url, isWord } from '../chars.ts'
import type { Found } from '../span.ts'

const BEGIN = /-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----/y
const END = /-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----/y
/** More than an RSA key of 16,384 bits has. */
const KEY_MAX = 16_384

/**
 * A private key in PEM (RFC 7468), with headers or without, also where line breaks are written `\n`. A key without its end is found
 * as far as it goes on. `start` is the place of the first hyphen.
 */
export function privateKeyAt(text: string, start: number): Found | null {
  BEGIN.lastIndex = start
  if (!BEGIN.test(text)) return null
  const stop = Math.min(text.length, start + KEY_MAX)
  let end = BEGIN.lastIndex
  while (end < stop && isOfKey(codeAt(text, end))) {
    if (codeAt(text, end) === 45 && text.startsWith('-----', end)) {
      end = Math.max(end, keyEnd(text, end))
      break
    }
    end++
  }
  return { start, end, kind: 'private_key', confidence: 0.99 }
}

/** The place behind the last line of a key that begins at `start`; -1 where none does. */
export function keyEnd(text: string, start: number): number {
  END.lastIndex = start
  return END.test(text) ? END.lastIndex : -1
}

/** Base64, white space, line breaks as escapes, and what headers contain. */
export function isOfKey(code: number): boolean {
  if (isBase64Url(code) || isWord(code)) return true
  return (
    code === 43 ||
    code === 47 ||
    code === 61 ||
    code === 32 ||
    code === 92 ||
    (code >= 9 && code <= 13) ||
    isOfHeader(code)
  )
}

/** `:`, `,`, `.`, `(`, `)`: `Proc-Type: 4,ENCRYPTED`. */
function isOfHeader(code: number): boolean {
  return code === 58 || code === 44 || code === 46 || code === 40 || code === 41
}
