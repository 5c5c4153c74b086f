import { createCipheriv, createDecipheriv, createSecretKey, hash, randomBytes } from 'node:crypto'

/** Texts that clients carry for us: they can neither read nor change them, nor use those of one purpose for another. */
export interface Sealer {
  seal(text: string): string
  /** The text, and a hash that names this seal without being usable as one; null for what this sealer has not sealed. */
  open(sealed: string): { readonly text: string; readonly name: string } | null
}

const SEALED_CHARS_MAX = 1024
const FORM = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** @param keyBytes 32 bytes for AES-256-GCM. @param purpose bound into every seal. */
export function createSealer(keyBytes: Uint8Array, purpose: string): Sealer {
  const key = createSecretKey(keyBytes)
  const aad = Buffer.from(purpose)
  return {
    seal(text) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, nonce)
      cipher.setAAD(aad)
      const sealed = [cipher.update(text, 'utf8'), cipher.final()]
      return Buffer.concat([Buffer.of(FORM), nonce, ...sealed, cipher.getAuthTag()]).toString('base64url')
    },
    open(sealed) {
      if (sealed.length > SEALED_CHARS_MAX || !/^[A-Za-z0-9_-]+$/.test(sealed)) return null
      const bytes = Buffer.from(sealed, 'base64url')
      if (bytes.length < 1 + NONCE_BYTES + TAG_BYTES || bytes[0] !== FORM) return null
      const nonce = bytes.subarray(1, 1 + NONCE_BYTES)
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
      decipher.setAAD(aad)
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
      try {
        const text = decipher.update(bytes.subarray(1 + NONCE_BYTES, -TAG_BYTES), undefined, 'utf8')
        return { text: text + decipher.final('utf8'), name: hash('sha256', nonce, 'base64url').slice(0, 22) }
      } catch {
        return null
      }
    },
  }
}
