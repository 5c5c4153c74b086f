import { type CipherKey, createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

export const NONCE_BYTES = 12
export const TAG_BYTES = 16

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
