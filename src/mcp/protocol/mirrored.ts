/** Values in headers that mirror members of a message. */

/** Visible ASCII with spaces and tabs inside (RFC 9110 section 5.5). */
const PLAIN = /^[!-~]([\t -~]*[!-~])?$/
/** Canonical base64 with padding (RFC 4648 section 4). */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const PREFIX = '=?base64?'
const SUFFIX = '?='

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The value that a mirrored header (`Mcp-Name`, `Mcp-Param-…`) stands for (2026-07-28, streamable HTTP: value
 * encoding): plain text, or `=?base64?<base64 of UTF-8>?=`. Null when it has foreign characters, bad padding or
 * bytes that are not UTF-8.
 */
export function decodeMirrored(value: string): string | null {
  if (!value.startsWith(PREFIX) || !value.endsWith(SUFFIX) || value.length < PREFIX.length + SUFFIX.length)
    return value === '' || PLAIN.test(value) ? value : null
  const encoded = value.slice(PREFIX.length, -SUFFIX.length)
  if (!BASE64.test(encoded)) return null
  const bytes = Buffer.from(encoded, 'base64')
  if (bytes.toString('base64') !== encoded) return null
  try {
    return utf8.decode(bytes)
  } catch {
    return null
  }
}

/** How a value travels in a mirrored header; the inverse of {@link decodeMirrored}. */
export function encodeMirrored(value: string): string {
  const looksEncoded = value.startsWith(PREFIX) && value.endsWith(SUFFIX)
  if (!looksEncoded && PLAIN.test(value)) return value
  return `${PREFIX}${Buffer.from(value, 'utf8').toString('base64')}${SUFFIX}`
}
