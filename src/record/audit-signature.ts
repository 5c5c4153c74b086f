/** Signs links and anchors of the audit trail (Ed25519), and verifies these signatures. */
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import type { StoredAnchor, StoredCheckpoint, StoredKeyAnchor } from '../store/ports/audit-chain.ts'

/** PKCS #8 of an Ed25519 key (RFC 8410 section 7), before its 32 bytes. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Signs what is said of the trail, and knows again what it has signed. */
export interface AuditSigner {
  /** Public key, PEM. */
  readonly publicKey: string
  checkpoint(said: Unsigned<StoredCheckpoint>): StoredCheckpoint
  anchor(said: Unsigned<StoredAnchor>): StoredAnchor
  /** Why what is stored cannot be believed; null when it can. @param whose what it is, for the sentence */
  checkpointFault(stored: StoredCheckpoint, whose: string): string | null
  anchorFault(stored: StoredAnchor, whose: string): string | null
  /** 32 bytes, for `keyedLink`. */
  readonly linkKey: Uint8Array
  /** 32 bytes, for the mark of the trail. */
  readonly markKey: Uint8Array
  keyAnchor(said: Omit<StoredKeyAnchor, 'mac'>): StoredKeyAnchor
  /** Whether the anchor was made with this key and not changed. */
  isKeyAnchor(stored: StoredKeyAnchor): boolean
}

type Unsigned<T> = Omit<T, 'key' | 'signature'>

interface Signature {
  readonly key: string
  readonly signature: string
}

/** @param seed 32 bytes, from which the keys are derived. */
export function createAuditSigner(seed: Uint8Array): AuditSigner {
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' })
  const verifier = createPublicKey(privateKey)
  const publicKey = String(verifier.export({ format: 'pem', type: 'spki' }))
  const keyId = createHash('sha256').update(publicKey).digest('hex').slice(0, 16)
  const signed = (text: Buffer): Signature => ({
    key: keyId,
    signature: sign(null, text, privateKey).toString('base64url'),
  })
  const faultOf = (text: Buffer, { key, signature }: Signature, whose: string): string | null => {
    if (key !== keyId) return `${whose} is signed by another key, ${key}`
    const holds = verify(null, text, verifier, Buffer.from(signature, 'base64url'))
    return holds ? null : `the signature of ${whose} is wrong`
  }
  const derived = (purpose: string): Uint8Array =>
    new Uint8Array(hkdfSync('sha256', seed, '', `postern audit ${purpose}`, 32))
  const linkKey = derived('links')
  const anchorKey = derived('key anchor')
  const macOf = (said: Omit<StoredKeyAnchor, 'mac'>): Buffer =>
    createHmac('sha256', anchorKey).update(keyAnchorText(said)).digest()
  return {
    linkKey,
    markKey: derived('mark'),
    keyAnchor: (said) => ({ ...said, mac: macOf(said).toString('base64url') }),
    isKeyAnchor(stored) {
      const mac = Buffer.from(stored.mac, 'base64url')
      const expected = macOf(stored)
      return mac.length === expected.length && timingSafeEqual(mac, expected)
    },
    publicKey,
    checkpoint: (said) => ({ ...said, ...signed(checkpointText(said)) }),
    anchor: (said) => ({ ...said, ...signed(anchorText(said)) }),
    checkpointFault: (stored, whose) => faultOf(checkpointText(stored), stored, whose),
    anchorFault: (stored, whose) => faultOf(anchorText(stored), stored, whose),
  }
}

function checkpointText({ seq, hash, time }: Unsigned<StoredCheckpoint>): Buffer {
  return Buffer.from(`postern audit checkpoint\n${seq}\n${hash}\n${time}`)
}

function anchorText({ seq, hash, entries, head_seq, head_hash, time }: Unsigned<StoredAnchor>): Buffer {
  return Buffer.from(
    `postern audit retention\n${seq}\n${hash}\n${entries}\n${head_seq}\n${head_hash}\n${time}`,
  )
}

function keyAnchorText({ seq, hash, time }: Omit<StoredKeyAnchor, 'mac'>): string {
  return `postern audit key anchor\n${seq}\n${hash}\n${time}`
}
