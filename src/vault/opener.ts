/** Opens credential secrets in gateway threads. */
import { Secret } from '../base/crypto/token.ts'
import { type OwnedBytes, ownedBytes } from '../base/memory/bytes.ts'
import { type KeyRing, unseal } from './envelope.ts'

/** Opens a sealed secret of a credential. Throws when it cannot be opened. */
export type Opener = (sealed: string, owner: string, field: string) => Secret

const ID_BYTES = 16
const KEY_BYTES = 32

/** The opener of a gateway thread, from the derived keys that `vault.gatewayKey()` gave. */
export function createOpener(derivedKey: Uint8Array): Opener {
  const ring = unpackRing(derivedKey)
  return (sealed, owner, field) => new Secret(unseal(ring, sealed, owner, field))
}

/** A key ring as bytes that survive a message to a thread: 16 bytes of id, padded with zeros, then 32 of key. */
export function packRing(ring: KeyRing): OwnedBytes {
  const bytes = new Uint8Array(ring.size * (ID_BYTES + KEY_BYTES))
  let at = 0
  for (const [id, key] of ring) {
    bytes.set(Buffer.from(id), at)
    bytes.set(key, at + ID_BYTES)
    at += ID_BYTES + KEY_BYTES
  }
  return ownedBytes(bytes)
}

function unpackRing(bytes: Uint8Array): KeyRing {
  const ring = new Map<string, Uint8Array>()
  for (let at = 0; at < bytes.length; at += ID_BYTES + KEY_BYTES) {
    const id = Buffer.from(bytes.subarray(at, at + ID_BYTES))
      .toString('latin1')
      .replace(/\0+$/, '')
    ring.set(id, bytes.slice(at + ID_BYTES, at + ID_BYTES + KEY_BYTES))
  }
  return ring
}
