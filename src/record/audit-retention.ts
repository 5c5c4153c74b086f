/**
 * Removes the beginning of the audit trail. Retention verifies the entries, cuts the chain at a signed link, and leaves a
 * signed anchor from which the rest can be verified. Triggers of the database refuse to delete an entry that no anchor
 * covers. A clock that jumps makes no entry older.
 */
import { agingOf, type Clock, toTime } from '../base/clock.ts'
import type { AuditEntry } from '../model/access/audit.ts'
import { newAuditEntry } from '../model/access/new-audit-entry.ts'
import type { StoredCheckpoint } from '../store/ports/audit-chain.ts'
import type { ConfigReader, ConfigStore } from '../store/ports/config.ts'
import { readKeyedPart } from './audit-key-anchor.ts'
import type { AuditSigner } from './audit-signature.ts'
import { walk } from './audit-walk.ts'

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
export function createRetention(store: ConfigStore, clock: Clock, signer: AuditSigner) {
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
      `retention removes nothing of an audit trail that is not what it was: at number ${found.seq}, ${found.what}`,
    )
  const entries = seq - (start?.seq ?? 0)
  await store.write(async (writer) => {
    await writer.appendAudit(toEntry(clock, entries, checkpoint))
    const head = await writer.lastAuditLink()
    if (head === undefined) throw new Error('an entry that was appended has no link')
    const said = { seq, hash, entries, head_seq: head.seq, head_hash: head.hash }
    await writer.cutAudit(signer.anchor({ ...said, time: toTime(clock.now()) }))
  })
  return entries
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
