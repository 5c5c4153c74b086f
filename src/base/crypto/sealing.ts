import { type CipherKey, createCipheriv, createDecipheriv, hash, randomBytes } from 'node:crypto'

const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * AES-256-GCM under a nonce of its own: nonce, ciphertext and tag.
 * @param key 32 bytes
 * @param place authenticated with it, so that what is moved to another place does not decrypt
 */
export function encrypt(key: CipherKey, text: string, place: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(Buffer.from(place))
  return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
}

/** The text of {@link encrypt}. Throws for what was not encrypted with this key for this place. */
export function decrypt(key: CipherKey, encrypted: Uint8Array, place: string): string {
  if (encrypted.length < NONCE_BYTES + TAG_BYTES) throw new RangeError('too short to be encrypted')
  const decipher = createDecipheriv('aes-256-gcm', key, encrypted.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(Buffer.from(place))
  decipher.setAuthTag(encrypted.subarray(-TAG_BYTES))
  const text = decipher.update(encrypted.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8')
  return text + decipher.final('utf8')
}

// The names of sealed texts, such as MCP session ids: records have the name, which nobody can use in place of the text.

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
