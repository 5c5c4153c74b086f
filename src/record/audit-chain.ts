import { type Clock, toTime } from '../base/clock.ts'
import type { StoredAnchor, StoredCheckpoint } from '../store/ports/audit-chain.ts'
import type { ConfigReader, ConfigStore } from '../store/ports/config.ts'
import { createRetention, type RetentionRule } from './audit-retention.ts'
import { type AuditSigner, createAuditSigner } from './audit-signature.ts'
import { type AuditPlace, type Expected, type Walked, walk } from './audit-walk.ts'

interface Verification extends Walked {
  readonly ok: boolean
  readonly checkpoints: number
  /** What retention has removed before them, signed by itself; null where nothing was. */
  readonly removed: Removed | null
  /** Public key of the checkpoints, PEM. */
  readonly public_key: string
}

interface Removed {
  /** From the first one on, so this is also the number of the last. */
  readonly entries: number
  /** When retention last did so. */
  readonly time: string
}

export interface AuditTrail {
  /**
   * Reads the whole trail and finds where an entry was changed, removed, inserted or moved: by its links, by the signed
   * checkpoints, by what retention has signed, and by an anchor that was kept elsewhere. What was added since the last
   * checkpoint by somebody who can write the file and makes all links anew cannot be found, other than by an anchor.
   */
  verify(anchor: AuditPlace | null): Promise<Verification>
  /** Signs the last link, where it is not signed yet. */
  checkpoint(): Promise<void>
  /**
   * Removes what is older than the rule says, up to a checkpoint, as far as it is whole; resolves to how many entries.
   * Throws, and removes nothing, where the trail is not what it was: that would remove the evidence.
   */
  retain(rule: RetentionRule): Promise<number>
}

/** @param seed 32 bytes, of which the key of the checkpoints is made. */
export function createAuditTrail(store: ConfigStore, clock: Clock, seed: Uint8Array): AuditTrail {
  const signer = createAuditSigner(seed)
  const retain = createRetention(store, clock, signer)
  return {
    retain,
    async verify(anchor) {
      for (;;) {
        const anchors = await store.read.auditAnchors()
        const found = await verifyAfter(store.read, signer, anchors, anchor)
        // Retention may have removed what was about to be read
        if (found.ok || (await store.read.auditAnchors()).length === anchors.length) return found
      }
    },
    async checkpoint() {
      const last = await store.read.lastAuditLink()
      const signed = (await store.read.checkpoints()).at(-1)
      if (last === undefined || (signed !== undefined && signed.seq >= last.seq)) return
      const checkpoint = signer.checkpoint({ ...last, time: toTime(clock.now()) })
      await store.write((writer) => writer.putCheckpoint(checkpoint))
    },
  }
}

async function verifyAfter(
  reader: ConfigReader,
  signer: AuditSigner,
  anchors: readonly StoredAnchor[],
  kept: AuditPlace | null,
): Promise<Verification> {
  const checkpoints = await reader.checkpoints()
  const start = anchors.at(-1) ?? null
  const found =
    (await anchorBreak(reader, signer, anchors)) ??
    (await walk(reader, start, [
      ...checkpoints.map((one) => ofCheckpoint(one, signer)),
      ...(start === null ? [] : [ofRetention(start)]),
      ...(kept === null ? [] : [{ ...kept, whose: 'the anchor', fault: null }]),
    ]))
  return {
    ...found,
    ok: found.break === null,
    checkpoints: checkpoints.length,
    removed: start && { entries: start.seq, time: start.time },
    public_key: signer.publicKey,
  }
}

/** What is wrong with what retention has left behind, or stands where it has removed everything. */
async function anchorBreak(
  reader: ConfigReader,
  signer: AuditSigner,
  anchors: readonly StoredAnchor[],
): Promise<Walked | null> {
  const broken = (seq: number, id: string | null, what: string): Walked => ({
    entries: 0,
    head: null,
    break: { seq, id, what },
  })
  let before = 0
  for (const anchor of anchors) {
    const whose = `the anchor of retention at ${anchor.time}`
    const fault = signer.anchorFault(anchor, whose)
    if (fault !== null) return broken(anchor.seq, null, fault)
    if (anchor.entries !== anchor.seq - before)
      return broken(anchor.seq, null, `an anchor before ${whose} was removed`)
    before = anchor.seq
  }
  const [first] = await reader.auditLinks(0, 1)
  if (first === undefined || first.seq > before) return null
  return broken(first.seq, first.id, 'an entry was inserted where retention had removed all')
}

function ofCheckpoint(checkpoint: StoredCheckpoint, signer: AuditSigner): Expected {
  const { seq, hash, time } = checkpoint
  const whose = `the checkpoint of ${time}`
  return { seq, hash, whose, fault: signer.checkpointFault(checkpoint, whose) }
}

/** Retention has added an entry of its own, and signed that too. */
function ofRetention({ head_seq, head_hash, time }: StoredAnchor): Expected {
  return { seq: head_seq, hash: head_hash, whose: `retention at ${time}`, fault: null }
}
