/** Follows the links of the audit trail and finds the first wrong one. */

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
import { yieldThread } from '../base/threads/time-slices.ts'
import {
  type AuditLink,
  type AuditPlace,
  CHAIN_START,
  keyedLink,
  plainLink,
  type StoredAnchor,
  type StoredCheckpoint,
  type StoredKeyAnchor,
} from '../store/ports/audit-chain.ts'
import type { ConfigReader } from '../store/ports/config.ts'

/** Entries that are read at once. */
const PIECE = 500

const HIDDEN = 'the columns for filters were changed: they differ from the entry'

/** How links are computed. */
export interface LinkRule {
  /** 32 bytes. */
  readonly key: Uint8Array
  /** The last entry with a plain link; every later link is keyed. */
  readonly plainUpTo: number
}

/** What a link must be, and who says so. */
export interface Expected extends AuditPlace {
  /** Null when it cannot be believed, and why. */
  readonly fault: string | null
  readonly whose: string
}

/** What following the links has found. */
export interface Walked {
  /** Entries that were looked at. */
  readonly entries: number
  /** The last link: kept elsewhere, it shows later that nothing up to it has changed. */
  readonly head: AuditPlace | null
  readonly break: Break | null
}

/** Where the trail is first not what it was; the chain says nothing of what follows. */
interface Break {
  readonly seq: number
  /** Of the entry that is there; null where there is none. */
  readonly id: string | null
  readonly what: string
}

/** Follows the links from one on, or from the first, up to a number or the end. */
export async function walk(
  reader: ConfigReader,
  rule: LinkRule,
  start: AuditPlace | null,
  expectations: readonly Expected[],
  end = Number.POSITIVE_INFINITY,
): Promise<Walked> {
  const at = Map.groupBy(expectations, ({ seq }) => seq)
  let head: AuditPlace | null = start && { seq: start.seq, hash: start.hash }
  let entries = 0
  // Not evidence itself: whatever else is wrong is told first
  let hidden: Break | null = null
  const place = (): AuditPlace | null => (entries === 0 ? null : head)
  while ((head?.seq ?? 0) < end) {
    const links = await reader.auditLinks(head?.seq ?? 0, PIECE)
    if (links.length === 0) break
    for (const link of links) {
      if (link.seq > end) break
      const what = faultOf(rule, link, head, at.get(link.seq) ?? [])
      if (what !== null) return { entries, head: place(), break: { seq: link.seq, id: link.id, what } }
      if (!link.isFindable) hidden ??= { seq: link.seq, id: link.id, what: HIDDEN }
      head = { seq: link.seq, hash: link.hash! }
      entries++
      await yieldThread(entries)
    }
  }
  const last = head?.seq ?? 0
  const beyond = expectations.find(({ seq, fault }) => fault !== null || seq > last)
  if (beyond === undefined) return { entries, head: place(), break: hidden }
  const what =
    beyond.fault ??
    `the trail ends before number ${beyond.seq}, which ${beyond.whose} records: entries were removed`
  return { entries, head: place(), break: { seq: beyond.seq, id: null, what } }
}

function faultOf(
  { key, plainUpTo }: LinkRule,
  { seq, hash, columns }: AuditLink,
  before: AuditPlace | null,
  expectations: readonly Expected[],
): string | null {
  if (columns === null) return 'an entry was removed: only its link exists'
  if (hash === null) return 'an entry was inserted: it has no link'
  if (seq !== (before?.seq ?? 0) + 1) return 'entries were removed before this one'
  const last = before?.hash ?? CHAIN_START
  const isKeyed = seq > plainUpTo
  if ((isKeyed ? keyedLink(key, last, columns) : plainLink(last, columns)) !== hash)
    return isKeyed && plainLink(last, columns) === hash
      ? 'the link is not keyed: it was created without the key'
      : 'the entry does not follow from the one before it: it was changed, moved or inserted'
  for (const { hash: wanted, whose, fault } of expectations) {
    if (fault !== null) return fault
    if (wanted !== hash) return `${whose} records another entry here: the trail up to it was rewritten`
  }
  return null
}

// Reads which links of an audit trail are keyed.

/** Which links of a trail are keyed. */
export interface KeyedPart {
  readonly rule: LinkRule
  /** Null for a trail of an older version, which has no keyed links. */
  readonly anchor: StoredKeyAnchor | null
  /** Why the anchor cannot be believed; null when it can. */
  readonly fault: string | null
}

export async function readKeyedPart(reader: ConfigReader, signer: AuditSigner): Promise<KeyedPart> {
  const anchor = (await reader.auditKeyAnchor()) ?? null
  const rule = { key: signer.linkKey, plainUpTo: anchor?.seq ?? Number.POSITIVE_INFINITY }
  const isOurs = anchor === null || signer.isKeyAnchor(anchor)
  return { rule, anchor, fault: isOurs ? null : 'the keyed anchor was changed, or created with another key' }
}

// Signs links and anchors of the audit trail (Ed25519), and verifies these signatures.

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
    if (key !== keyId) return `${whose} is signed with another key, ${key}`
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
