import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

/** Keys of one purpose by their id; the first one seals. */
export type KeyRing = ReadonlyMap<string, Uint8Array>

const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * Seals a text with AES-256-GCM: `v1.<key id>.<nonce, ciphertext and tag in base64url>`. Owner and field are
 * authenticated with it, so that a ciphertext moved to another place does not open.
 */
export function seal(ring: KeyRing, text: string, owner: string, field: string): string {
  const [id, key] = ring.entries().next().value!
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(placeOf(owner, field))
  const body = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return `v1.${id}.${body.toString('base64url')}`
}

/** The text of {@link seal}. Throws when it was changed, moved, or sealed with a key that is not in the ring. */
export function unseal(ring: KeyRing, sealed: string, owner: string, field: string): string {
  const [version, id, encoded, ...rest] = sealed.split('.')
  if (version !== 'v1' || id === undefined || encoded === undefined || rest.length > 0)
    throw new Error('The sealed text is malformed.')
  const key = ring.get(id)
  if (key === undefined) throw new Error(`The sealed text names the key ${id}, which is not in the key file.`)
  const body = Buffer.from(encoded, 'base64url')
  if (body.length < NONCE_BYTES + TAG_BYTES) throw new Error('The sealed text is malformed.')
  const decipher = createDecipheriv('aes-256-gcm', key, body.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(placeOf(owner, field))
  decipher.setAuthTag(body.subarray(-TAG_BYTES))
  const text = decipher.update(body.subarray(NONCE_BYTES, -TAG_BYTES))
  return Buffer.concat([text, decipher.final()]).toString('utf8')
}

/** Id of the key that a sealed text names. */
export function keyIdOf(sealed: string): string {
  return sealed.split('.', 2)[1] ?? ''
}

function placeOf(owner: string, field: string): Buffer {
  return Buffer.from(`${owner}\n${field}`)
}
