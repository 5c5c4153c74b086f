import { createHmac, hkdfSync } from 'node:crypto'
import { Secret } from '../base/secret.ts'
import { type KeyRing, seal, unseal } from './envelope.ts'
import type { MasterKey } from './keys.ts'
import { packRing } from './opener.ts'

/** What the control plane does with the master keys. */
export interface Vault {
  /** Seals a secret of a credential for one field of one resource. */
  seal(secret: Secret, owner: string, field: string): string
  open(sealed: string, owner: string, field: string): Secret
  /** A keyed hash: tells equal texts apart from others without storing anything one could guess them from. */
  fingerprint(text: string): string
  /** A sealed known text; {@link Vault.opensCanary} proves later that the keys are those of the data. */
  canary(): string
  opensCanary(sealed: string): boolean
  /** Derived keys for gateway threads: they open secrets of credentials, nothing else. For `createOpener`. */
  gatewayKey(): Uint8Array
  /** 32 bytes that seal MCP session ids; the same in every thread, and after a restart. */
  sessionKey(): Uint8Array
}

const CANARY = 'postern'

/** A vault over a key ring; the first key seals. Each purpose has its own keys, derived by HKDF (RFC 5869). */
export function createVault(masterKeys: readonly MasterKey[]): Vault {
  const credentials = derive(masterKeys, 'credentials')
  const canaries = derive(masterKeys, 'canary')
  const [fingerprints] = derive(masterKeys, 'fingerprint').values()
  const [sessions] = derive(masterKeys, 'mcp sessions').values()
  return {
    seal: (secret, owner, field) => seal(credentials, secret.reveal(), owner, field),
    open: (sealed, owner, field) => new Secret(unseal(credentials, sealed, owner, field)),
    fingerprint: (text) => createHmac('sha256', fingerprints!).update(text).digest('base64url'),
    canary: () => seal(canaries, CANARY, 'meta', 'canary'),
    opensCanary: (sealed) => {
      try {
        return unseal(canaries, sealed, 'meta', 'canary') === CANARY
      } catch {
        // Any failure to open means the same thing here: these are not the keys.
        return false
      }
    },
    gatewayKey: () => packRing(credentials),
    sessionKey: () => sessions!,
  }
}

function derive(masterKeys: readonly MasterKey[], purpose: string): KeyRing {
  return new Map(
    masterKeys.map((key) => [
      key.id,
      new Uint8Array(hkdfSync('sha256', key.bytes, '', `postern ${purpose}`, 32)),
    ]),
  )
}
