import { createSecretKey, hash } from 'node:crypto'
import { decrypt, encrypt, NONCE_BYTES } from '../../base/aes-gcm.ts'

/** Texts that clients carry for us: they can neither read nor change them, nor use those of one purpose for another. */
export interface Sealer {
  seal(text: string): string
  /** The text, and a hash that names this seal without being usable as one; null for what this sealer has not sealed. */
  open(sealed: string): { readonly text: string; readonly name: string } | null
}

/** A principal with the longest subject, and the longest name of an agent, stay below. */
const SEALED_CHARS_MAX = 6144
/** First byte of what is sealed in this form. */
const FORM = 1

/**
 * @param keyBytes 32 bytes for AES-256-GCM
 * @param purpose bound into every seal
 * @param charsMax of what is opened
 */
export function createSealer(keyBytes: Uint8Array, purpose: string, charsMax = SEALED_CHARS_MAX): Sealer {
  const key = createSecretKey(keyBytes)
  return {
    seal: (text) => Buffer.concat([Buffer.of(FORM), encrypt(key, text, purpose)]).toString('base64url'),
    open(sealed) {
      if (sealed.length > charsMax || !/^[A-Za-z0-9_-]+$/.test(sealed)) return null
      const bytes = Buffer.from(sealed, 'base64url')
      if (bytes[0] !== FORM) return null
      try {
        const text = decrypt(key, bytes.subarray(1), purpose)
        const nonce = bytes.subarray(1, 1 + NONCE_BYTES)
        return { text, name: hash('sha256', nonce, 'base64url').slice(0, 22) }
      } catch {
        return null
      }
    },
  }
}
