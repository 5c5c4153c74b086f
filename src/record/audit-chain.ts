/**
 * The audit trail is a chain. Each entry is linked in its own transaction: its link is an HMAC over all its columns and the
 * link before. The key is derived from the lasting part of the key file. The last link is signed once a minute.
 */
import { agingOf, type Clock, toTime } from '../base/clock.ts'
import { type AuditEntry, newAuditEntry } from '../model/access/audit.ts'
import type { AuditMark, AuditPlace, StoredAnchor, StoredCheckpoint } from '../store/ports/audit-chain.ts'
import type { ConfigReader, ConfigStore } from '../store/ports/config.ts'
import { StoreUnavailable } from '../store/ports/unavailable.ts'
import {
  type AuditSigner,
  createAuditSigner,
  type Expected,
  readKeyedPart,
  type Walked,
  walk,
} from './audit-walk.ts'

interface Verification extends Walked {
  readonly ok: boolean
  readonly checkpoints: number
  /** Number of the first entry with a keyed link; null for a trail of an older version. */
  readonly keyed_from: number | null
  /** The last entry that the mark knows; null before the first. */
  readonly mark: AuditPlace | null
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
   * Reads the whole trail and finds where an entry was changed, removed, inserted or moved: by the links, the signed
   * checkpoints, the anchors, the mark, and a link that was kept elsewhere. Without the key a trail cannot be made anew.
   * An older state of the whole data directory can only be found by a link that was kept elsewhere.
   */
  verify(anchor: AuditPlace | null): Promise<Verification>
  /** Signs the last link, where it is not signed yet. Throws when it is not the link that the mark knows. */
  checkpoint(): Promise<void>
  /**
   * Removes what is older than the rule says, up to a checkpoint, as far as it is whole; resolves to how many entries.
   * Throws, and removes nothing, where the trail is not what it was: that would remove the evidence.
   */
  retain(rule: RetentionRule): Promise<number>
}

/** @param seed 32 bytes, from which the keys of the trail are derived. */
export function createAuditTrail(
  store: ConfigStore,
  clock: Clock,
  seed: Uint8Array,
  mark: AuditMark,
): AuditTrail {
  const signer = createAuditSigner(seed)
  const retain = createRetention(store, clock, signer)
  return {
    retain,
    async verify(anchor) {
      for (;;) {
        const { seq, hash } = mark.place
        const marked = seq === 0 ? null : { seq, hash }
        const anchors = await store.read.auditAnchors()
        const found = await verifyAfter(store.read, signer, anchors, marked, anchor)
        // Retention may have removed what was about to be read
        if (found.ok || (await store.read.auditAnchors()).length === anchors.length) return found
      }
    },
    async checkpoint() {
      if ((await unsigned(store.read)) === null) return
      // In a turn of its own, in which no other transaction moves the mark
      await store.write(async (writer) => {
        const last = await unsigned(writer)
        if (last === null) return
        // Entries of other processes have moved no mark here
        await writer.auditEnd().catch((error: unknown) => {
          if (!(error instanceof StoreUnavailable) || error.fault !== 'changed') throw error
          throw new Error(
            `The audit trail is not signed: another program has changed it. It ends at number ${last.seq}, and the mark is at number ${mark.place.seq}. Stop the gateway and run postern doctor, which says what to do.`,
          )
        })
        await writer.putCheckpoint(signer.checkpoint({ ...last, time: toTime(clock.now()) }))
      })
    },
  }
}

/** The last link, if no checkpoint signs it yet. */
async function unsigned(reader: ConfigReader): Promise<AuditPlace | null> {
  const last = await reader.lastAuditLink()
  const signed = (await reader.checkpoints()).at(-1)
  return last === undefined || (signed !== undefined && signed.seq >= last.seq) ? null : last
}

async function verifyAfter(
  reader: ConfigReader,
  signer: AuditSigner,
  anchors: readonly StoredAnchor[],
  marked: AuditPlace | null,
  kept: AuditPlace | null,
): Promise<Verification> {
  const checkpoints = await reader.checkpoints()
  const { rule, anchor, fault } = await readKeyedPart(reader, signer)
  const start = anchors.at(-1) ?? null
  const found =
    (await anchorBreak(reader, signer, anchors)) ??
    (await walk(reader, rule, start, [
      ...(anchor === null ? [] : [{ ...anchor, whose: 'the keyed anchor', fault }]),
      ...checkpoints.map((one) => ofCheckpoint(one, signer)),
      ...(start === null ? [] : [ofRetention(start)]),
      ...(kept === null ? [] : [{ ...kept, whose: 'the anchor', fault: null }]),
      ...(marked === null ? [] : [{ ...marked, whose: 'the mark', fault: null }]),
    ]))
  return {
    ...found,
    ok: found.break === null,
    checkpoints: checkpoints.length,
    keyed_from: anchor && anchor.seq + 1,
    mark: marked,
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

// Removes the beginning of the audit trail. Retention verifies the entries, cuts the chain at a signed link, and leaves a
// signed anchor from which the rest can be verified. Triggers of the database refuse to delete an entry that no anchor
// covers. A clock that jumps makes no entry older.

export interface RetentionRule {
  /** How long entries are kept, milliseconds. */
  readonly keepMs: number
  /** A legal hold: nothing is removed. */
  readonly hold: boolean
}

/** It waits until a day's entries are too old: each time leaves an entry and an anchor itself. */
const SLACK_MS = 86_400_000
/** Entries that one transaction removes, or those up to the next checkpoint; others wait for it. */
const STEP = 20_000

/** What removes old entries; see `AuditTrail.retain`. */
function createRetention(store: ConfigStore, clock: Clock, signer: AuditSigner) {
  const aging = agingOf(clock)
  return async ({ keepMs, hold }: RetentionRule): Promise<number> => {
    const before = toTime(Math.max(0, aging.now() - keepMs))
    const due = toTime(Math.max(0, aging.now() - keepMs - SLACK_MS))
    const oldest = await store.read.oldestAudit()
    if (hold || oldest === undefined || oldest.time >= due) return 0
    let removed = 0
    for (;;) {
      const checkpoint = await lastToGo(store.read, before)
      if (checkpoint === undefined) return removed
      removed += await cut(store, clock, signer, checkpoint)
    }
  }
}

/** The checkpoint up to which everything is older, and not too much for one transaction; undefined for none. */
async function lastToGo(reader: ConfigReader, before: string): Promise<StoredCheckpoint | undefined> {
  const oldest = await reader.oldestAudit()
  const last = await reader.lastAuditBefore(before)
  if (oldest === undefined || last === null) return undefined
  const usable = (await reader.checkpoints()).filter(({ seq }) => seq >= oldest.seq && seq <= last)
  return usable.findLast(({ seq }) => seq < oldest.seq + STEP) ?? usable[0]
}

async function cut(
  store: ConfigStore,
  clock: Clock,
  signer: AuditSigner,
  checkpoint: StoredCheckpoint,
): Promise<number> {
  const start = (await store.read.auditAnchors()).at(-1) ?? null
  const { seq, hash } = checkpoint
  const fault = signer.checkpointFault(checkpoint, `the checkpoint of ${checkpoint.time}`)
  const whole = { seq, hash, fault, whose: `the checkpoint of ${checkpoint.time}` }
  const { rule } = await readKeyedPart(store.read, signer)
  const { break: found } = await walk(store.read, rule, start, [whole], seq)
  if (found !== null)
    throw new Error(
      `retention removes nothing, because the audit trail was changed: at number ${found.seq}, ${found.what}`,
    )
  const entries = seq - (start?.seq ?? 0)
  return store.write(async (writer) => {
    const before = (await writer.auditAnchors()).at(-1)
    // Another process has removed entries since
    if (before?.seq !== start?.seq) return 0
    await writer.appendAudit(toEntry(clock, entries, checkpoint))
    const head = await writer.lastAuditLink()
    if (head === undefined) throw new Error('an entry that was appended has no link')
    const said = { seq, hash, entries, head_seq: head.seq, head_hash: head.hash }
    await writer.cutAudit(signer.anchor({ ...said, time: toTime(clock.now()) }))
    return entries
  })
}

function toEntry(clock: Clock, entries: number, { seq, hash }: StoredCheckpoint): AuditEntry {
  return newAuditEntry(clock, {
    actor: { id: 'system', type: 'system', name: 'retention', auth_method: 'none' },
    surface: 'system',
    operation: 'audit.retention',
    action: 'DELETE',
    resource: { type: 'audit', id: null, slug: null, collection: null },
    detail: `${entries} entries were removed, up to number ${seq} with the link ${hash}.`,
  })
}
