/** Seals and opens texts (AES-256-GCM). */
import { decrypt, encrypt } from '../base/crypto/sealing.ts'

/** Keys of one purpose by their id; the first one seals. */
export type KeyRing = ReadonlyMap<string, Uint8Array>

/**
 * Seals a text with AES-256-GCM: `v1.<key id>.<nonce, ciphertext and tag in base64url>`. Owner and field are
 * authenticated with it, so that a ciphertext moved to another place does not open.
 */
export function seal(ring: KeyRing, text: string, owner: string, field: string): string {
  const [id, key] = ring.entries().next().value!
  return `v1.${id}.${encrypt(key, text, placeOf(owner, field)).toString('base64url')}`
}

/** The text of {@link seal}. Throws when it was changed, moved, or sealed with a key that is not in the ring. */
export function unseal(ring: KeyRing, sealed: string, owner: string, field: string): string {
  const [version, id, encoded, ...rest] = sealed.split('.')
  if (version !== 'v1' || id === undefined || encoded === undefined || rest.length > 0)
    throw new Error('The sealed text is malformed.')
  const key = ring.get(id)
  if (key === undefined) throw new Error(`The sealed text names the key ${id}, which is not in the key file.`)
  const bytes = Buffer.from(encoded, 'base64url')
  // Node reads other writings of the same bytes, with other characters between them
  if (bytes.toString('base64url') !== encoded) throw new Error('The sealed text is malformed.')
  return decrypt(key, bytes, placeOf(owner, field))
}

/** Id of the key that a sealed text names. */
export function keyIdOf(sealed: string): string {
  return sealed.split('.', 2)[1] ?? ''
}

function placeOf(owner: string, field: string): string {
  return `${owner}\n${field}`
}
