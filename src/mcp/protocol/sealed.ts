/** Sealed texts that clients carry for Postern. */
import { createSecretKey } from 'node:crypto'
import { decrypt, encrypt, SEALED_FORM, sealedBytes, sealedName } from '../../base/crypto/sealing.ts'

/** Texts that clients carry for us: they can neither read nor change them, nor use those of one purpose for another. */
export interface Sealer {
  seal(text: string): string
  /** The text, and a hash that names this seal without being usable as one; null for what this sealer has not sealed. */
  open(sealed: string): { readonly text: string; readonly name: string } | null
}

/**
 * @param keyBytes 32 bytes for AES-256-GCM
 * @param purpose bound into every seal
 * @param charsMax of what is opened
 */
export function createSealer(keyBytes: Uint8Array, purpose: string, charsMax?: number): Sealer {
  const key = createSecretKey(keyBytes)
  return {
    seal: (text) =>
      Buffer.concat([Buffer.of(SEALED_FORM), encrypt(key, text, purpose)]).toString('base64url'),
    open(sealed) {
      const bytes = sealedBytes(sealed, charsMax)
      if (bytes === null) return null
      try {
        return { text: decrypt(key, bytes.subarray(1), purpose), name: sealedName(bytes) }
      } catch {
        return null
      }
    },
  }
}
