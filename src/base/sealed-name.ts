/** The names of sealed texts, such as MCP session ids: records have the name, which nobody can use in place of the text. */
import { hash } from 'node:crypto'
import { NONCE_BYTES, TAG_BYTES } from './aes-gcm.ts'

/** First byte of what is sealed in this form. */
export const SEALED_FORM = 1
/** Characters of a sealed text at most. A principal with the longest subject, and the longest name of an agent, stay below. */
export const SEALED_CHARS_MAX = 6144

/** The bytes of a text that has the form of a sealed one; null for any other text. Says nothing of who sealed it. */
export function sealedBytes(sealed: string, charsMax = SEALED_CHARS_MAX): Buffer | null {
  if (sealed.length > charsMax || !/^[A-Za-z0-9_-]+$/.test(sealed)) return null
  const bytes = Buffer.from(sealed, 'base64url')
  return bytes[0] === SEALED_FORM && bytes.length >= 1 + NONCE_BYTES + TAG_BYTES ? bytes : null
}

/** A hash of the nonce, which names a sealed text without being usable as one. @param bytes of {@link sealedBytes} */
export function sealedName(bytes: Buffer): string {
  return hash('sha256', bytes.subarray(1, 1 + NONCE_BYTES), 'base64url').slice(0, 22)
}

/** The name by which records and audit entries have an MCP session. @param id as clients send it, or its name already */
export function sessionNameOf(id: string): string {
  const bytes = sealedBytes(id)
  return bytes === null ? id : sealedName(bytes)
}
