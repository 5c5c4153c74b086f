import { codeAt, isWord } from '../chars.ts'
import type { Found } from '../span.ts'
import { isPlaceholder } from './strength.ts'

const USER_INFO_MAX = 512

/** Characters that end the authority of a URL, or the URL (RFC 3986 section 3.2). */
const ENDS = new Set([...'/?#"\'<>\\`{}|^ \t\r\n'].map((char) => char.charCodeAt(0)))

/** The password of a URL, as in `postgres://app:secret@db/orders`. `colon` is the place of the colon before the two slashes. */
export function connectionPasswordAt(text: string, colon: number): Found | null {
  if (!text.startsWith('://', colon) || !isWord(codeAt(text, colon - 1))) return null
  const from = colon + 3
  const stop = Math.min(text.length, from + USER_INFO_MAX)
  let password = -1
  let end = -1
  for (let at = from; at < stop; at++) {
    const code = codeAt(text, at)
    if (ENDS.has(code)) break
    // A password may contain an @ that is not encoded: the last one ends it
    if (code === 64) end = at
    else if (code === 58 && password < 0) password = at + 1
  }
  if (password < 0 || end <= password || isPlaceholder(text.slice(password, end))) return null
  return { start: password, end, kind: 'connection_string', confidence: 0.95 }
}
