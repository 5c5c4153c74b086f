import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { type Clock, toTime } from '../base/clock.ts'
import { type AuditLink, CHAIN_START, nextLink, type StoredCheckpoint } from '../store/ports/audit-chain.ts'
import type { ConfigReader, ConfigStore } from '../store/ports/config.ts'

/** PKCS #8 of an Ed25519 key (RFC 8410 section 7), before its 32 bytes. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')
/** Entries that are read at once. */
const PIECE = 500

/** Where the trail is first not what it was; the chain says nothing of what follows. */
interface Break {
  readonly seq: number
  /** Of the entry that is there; null where there is none. */
  readonly id: string | null
  readonly what: string
}

interface Verification {
  readonly ok: boolean
  /** Entries that were looked at. */
  readonly entries: number
  readonly checkpoints: number
  /** The last link: kept elsewhere, it shows later that nothing up to it has changed. */
  readonly head: { readonly seq: number; readonly hash: string } | null
  /** Public key of the checkpoints, PEM. */
  readonly public_key: string
  readonly break: Break | null
}

/** A link that somebody has kept. */
interface Anchor {
  readonly seq: number
  readonly hash: string
}

export interface AuditTrail {
  /**
   * Reads the whole trail and finds where an entry was changed, removed, inserted or moved: by its links, by the signed
   * checkpoints, and by an anchor that was kept elsewhere. What was added since the last checkpoint by somebody
   * who can write the file and makes all links anew cannot be found, other than by an anchor.
   */
  verify(anchor: Anchor | null): Promise<Verification>
  /** Signs the last link, where it is not signed yet. */
  checkpoint(): Promise<void>
}

/** @param seed 32 bytes, of which the key of the checkpoints is made. */
export function createAuditTrail(store: ConfigStore, clock: Clock, seed: Uint8Array): AuditTrail {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(key)
  const pem = String(publicKey.export({ format: 'pem', type: 'spki' }))
  const keyId = createHash('sha256').update(pem).digest('hex').slice(0, 16)

  return {
    async verify(anchor) {
      const checkpoints = await store.read.checkpoints()
      const found = await walk(store.read, [
        ...checkpoints.map((one) => expected(one, keyId, publicKey)),
        ...anchored(anchor),
      ])
      return { ...found, ok: found.break === null, checkpoints: checkpoints.length, public_key: pem }
    },
    async checkpoint() {
      const last = await store.read.lastAuditLink()
      const signed = (await store.read.checkpoints()).at(-1)
      if (last === undefined || (signed !== undefined && signed.seq >= last.seq)) return
      const time = toTime(clock.now())
      const signature = sign(null, signedText(last, time), key).toString('base64url')
      await store.write((writer) => writer.putCheckpoint({ ...last, time, key: keyId, signature }))
    },
  }
}

/** What a link must be, and who says so. */
interface Expected extends Anchor {
  /** Null when it cannot be believed, and why. */
  readonly fault: string | null
  readonly whose: string
}

function expected(checkpoint: StoredCheckpoint, keyId: string, publicKey: KeyObject): Expected {
  const { seq, hash, time, key, signature } = checkpoint
  const whose = `the checkpoint of ${time}`
  if (key !== keyId) return { seq, hash, whose, fault: `${whose} is signed by another key, ${key}` }
  const holds = verify(null, signedText({ seq, hash }, time), publicKey, Buffer.from(signature, 'base64url'))
  return { seq, hash, whose, fault: holds ? null : `the signature of ${whose} is wrong` }
}

function anchored(anchor: Anchor | null): Expected[] {
  return anchor === null ? [] : [{ ...anchor, whose: 'the anchor', fault: null }]
}

function signedText({ seq, hash }: Anchor, time: string): Buffer {
  return Buffer.from(`postern audit checkpoint\n${seq}\n${hash}\n${time}`)
}

async function walk(
  reader: ConfigReader,
  expectations: readonly Expected[],
): Promise<Pick<Verification, 'entries' | 'head' | 'break'>> {
  const at = Map.groupBy(expectations, ({ seq }) => seq)
  let head: Anchor | null = null
  let entries = 0
  for (;;) {
    const links = await reader.auditLinks(head?.seq ?? 0, PIECE)
    if (links.length === 0) break
    for (const link of links) {
      const what = faultOf(link, head, at.get(link.seq) ?? [])
      if (what !== null) return { entries, head, break: { seq: link.seq, id: link.id, what } }
      head = { seq: link.seq, hash: link.hash! }
      entries++
    }
  }
  const last = head?.seq ?? 0
  const beyond = expectations.find(({ seq, fault }) => fault !== null || seq > last)
  if (beyond === undefined) return { entries, head, break: null }
  const what =
    beyond.fault ??
    `the trail ends before number ${beyond.seq}, which ${beyond.whose} knows: entries were removed`
  return { entries, head, break: { seq: beyond.seq, id: null, what } }
}

function faultOf(
  { seq, hash, columns }: AuditLink,
  before: Anchor | null,
  expectations: readonly Expected[],
): string | null {
  if (columns === null) return 'an entry was removed: its link is there, and it is not'
  if (hash === null) return 'an entry was inserted: it has no link'
  if (seq !== (before?.seq ?? 0) + 1) return 'entries were removed before this one'
  if (nextLink(before?.hash ?? CHAIN_START, columns) !== hash)
    return 'the entry does not follow from the one before it: it was changed, moved or inserted'
  for (const { hash: wanted, whose, fault } of expectations) {
    if (fault !== null) return fault
    if (wanted !== hash) return `${whose} knows another entry here: the trail up to it was made anew`
  }
  return null
}
