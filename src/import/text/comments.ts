/**
 * Reads JSON with comments and trailing commas, as editors and AI applications write it. Removed text becomes spaces, so that
 * places in messages stay those of the file.
 */

import { COMMA, endOfString, QUOTE } from '../../base/json/scan.ts'

const SPACE = 0x20
const STAR = 0x2a
const SLASH = 0x2f

/** One pass in time linear in the text. A comment that does not end stays, and is no JSON. @param text of at most some MiB */
export function withoutComments(text: string): string {
  const taken = Buffer.from(text, 'utf16le')
  const take = (from: number, to: number): void => {
    for (let at = from; at < to; at++) if (!isSpace(text.charCodeAt(at))) taken.writeUInt16LE(SPACE, at * 2)
  }
  let comma = -1
  let at = 0
  while (at < text.length) {
    const code = text.charCodeAt(at)
    const end = code === SLASH ? endOfComment(text, at) : -1
    if (end !== -1) {
      take(at, end)
      at = end
      continue
    }
    if (!isSpace(code)) {
      if (comma !== -1 && (text[at] === '}' || text[at] === ']')) take(comma, comma + 1)
      comma = code === COMMA ? at : -1
    }
    at = code === QUOTE ? endOfString(text, at) : at + 1
  }
  return taken.toString('utf16le')
}

function isSpace(code: number): boolean {
  return code === SPACE || (code >= 0x09 && code <= 0x0d)
}

/** -1 where no comment begins, or it does not end. */
function endOfComment(text: string, start: number): number {
  const next = text.charCodeAt(start + 1)
  if (next === SLASH) {
    let end = start
    while (end < text.length && text[end] !== '\n' && text[end] !== '\r') end++
    return end
  }
  const end = next === STAR ? text.indexOf('*/', start + 2) : -1
  return end === -1 ? -1 : end + 2
}
