/**
 * Compares the audit trail with its mark at a start. A start follows the links from the mark on. The sealed canary of the key
 * file says whether the links are keyed: if so, a trail without the keyed anchor has been changed.
 */
import { type Clock, toTime } from '../base/clock.ts'
import { type AuditEntry, newAuditEntry } from '../model/access/audit.ts'
import { ACCESS_TYPES, RESOURCE_TYPES } from '../model/resource-types.ts'
import {
  type AuditPlace,
  CHAIN_START,
  type MarkedPlace,
  type StoredAnchor,
} from '../store/ports/audit-chain.ts'
import type { ConfigReader, ConfigStore, ConfigWriter } from '../store/ports/config.ts'
import { CANARY } from '../vault/reseal.ts'
import { createAuditTrail } from './audit-chain.ts'
import type { AuditMarkFile } from './audit-mark.ts'
import { type AuditSigner, createAuditSigner, readKeyedPart, walk } from './audit-walk.ts'

export interface TrailParts {
  readonly store: ConfigStore
  readonly clock: Clock
  /** 32 bytes, from which the keys of the trail are derived. */
  readonly seed: Uint8Array
  readonly mark: AuditMarkFile
  readonly proof: KeyedProof
  /** The data directory has never held a mark: it is that of a node that is new. False when absent. */
  readonly isNewNode?: boolean
}

/** For the log. */
export interface StartNote {
  readonly level: 'info' | 'warn'
  readonly text: string
}

/**
 * Proves that the trail had keyed links: without it, somebody who deletes the keyed anchor and the mark could pass off a
 * trail with plain links as that of an older version.
 */
interface KeyedProof {
  /** Whether the store holds it. */
  isThere(reader: ConfigReader): Promise<boolean>
  put(writer: ConfigWriter): Promise<void>
}

/** What a start finds of the audit trail. */
export interface Continuity {
  /** Why the trail does not extend the mark; null when it does. Then the store takes audit entries. */
  readonly fault: string | null
  readonly notes: readonly StartNote[]
}

/** Why a state of the store is accepted that need not extend the mark. It becomes an audit entry. */
export interface Acceptance extends Pick<AuditEntry, 'operation' | 'surface'> {
  readonly actor: string
  readonly detail: string
}

/**
 * Compares the trail with its mark, and gives the store the key and the mark when the trail extends it. A trail of an older
 * version is verified once and closed with a keyed anchor. A missing mark is made anew, with an audit entry that says so: that of a new node is no
 * reason for a warning.
 */
export async function secureTrail(parts: TrailParts): Promise<Continuity> {
  const { store, seed, mark } = parts
  const signer = createAuditSigner(seed)
  // Of one moment: another node may begin the trail
  const { head, anchor, fault, isProved, isUntouchedYet } = await store.still(async (reader) => {
    const keyed = await readKeyedPart(reader, signer)
    const isProved = await parts.proof.isThere(reader)
    const isUntouchedYet = keyed.anchor === null && isProved && (await isUntouched(reader))
    return { ...keyed, head: await headOf(reader), isProved, isUntouchedYet }
  })
  if (fault !== null) return { fault: sentence(fault), notes: [] }
  if (anchor === null) {
    if (isProved && !isUntouchedYet)
      return { fault: 'The trail has no keyed anchor, and the key file proves that it had one.', notes: [] }
    // A cut-off upgrade has moved the mark already
    if (mark.found === 'mark' && !isSame(mark.place, head))
      return { fault: 'The trail has no keyed anchor, and the mark shows that it had one.', notes: [] }
    const notes = await closePlainPart(parts, signer, head)
    seal(parts, signer)
    return { fault: null, notes }
  }
  if (!isProved) await store.write((writer) => parts.proof.put(writer))
  if (mark.found === 'mark') {
    const found = await breakAfterMark(store.read, signer, mark.place)
    if (found !== null) return { fault: found, notes: [] }
    if (!isSame(mark.place, head)) await mark.move(head)
    seal(parts, signer)
    return { fault: null, notes: [] }
  }
  const verified = await createAuditTrail(store, parts.clock, seed, mark).verify(null)
  if (verified.break !== null)
    return { fault: `At number ${verified.break.seq}, ${verified.break.what}.`, notes: [] }
  const isNew = parts.isNewNode === true && mark.found === 'missing'
  const begins = `begins at number ${head.seq} with the link ${head.hash || '-'}`
  const why =
    mark.found === 'missing' ? 'The mark was missing' : 'The mark was damaged, or created with another key'
  const detail = isNew
    ? `This node is new to the database: the trail was verified, and the mark of the node ${begins}.`
    : `${why}: a new mark ${begins}. Postern cannot detect entries that were removed from the end before.`
  await acceptTrail(parts, { operation: 'audit.mark', surface: 'system', actor: 'start', detail })
  return { fault: null, notes: [{ level: isNew ? 'info' : 'warn', text: `audit trail: ${detail}` }] }
}

/** What a whole trail is; see {@link examineTrail}. */
interface Examined {
  readonly entries: number
  /** Whether its links are keyed. */
  readonly isKeyed: boolean
  /** Why it is not the trail that Postern left, as the end of a sentence; null when it is. */
  readonly fault: string | null
}

/** Reads a whole trail and compares it with its mark, as far as a start would. Changes nothing. */
export async function examineTrail({ store, clock, seed, mark, proof }: TrailParts): Promise<Examined> {
  const found = await createAuditTrail(store, clock, seed, mark).verify(null)
  const { entries } = found
  const isKeyed = found.keyed_from !== null
  if (found.break !== null)
    return { entries, isKeyed, fault: `entry ${found.break.seq}: ${found.break.what}` }
  // Every version writes the canary before anything else
  const wasKeyed = !isKeyed && (await proof.isThere(store.read))
  const isProofGone = !isKeyed && (await store.read.meta(CANARY)) === undefined
  if ((wasKeyed || isProofGone) && !(await isUntouched(store.read)))
    return {
      entries,
      isKeyed,
      fault: `the keyed anchor is missing, ${wasKeyed ? 'although the key file proves that it existed' : 'and so is the text that proves the key file'}`,
    }
  const revision = await store.read.revision()
  if (revision < mark.place.revision)
    return {
      entries,
      isKeyed,
      fault: `the configuration has revision ${revision}, and the mark records revision ${mark.place.revision}`,
    }
  return { entries, isKeyed, fault: null }
}

/**
 * True for the store of a first start that was cut off: nothing has been changed in it. Rows alone decide, since the number of
 * the revision can be set back like anything else in the file.
 */
async function isUntouched(reader: ConfigReader): Promise<boolean> {
  if ((await reader.lastAuditLink()) !== undefined || (await reader.oldestAudit()) !== undefined) return false
  if ((await reader.revision()) > 0) return false
  for (const type of [...RESOURCE_TYPES, ...ACCESS_TYPES])
    if ((await reader.all(type)).length > 0) return false
  return true
}

/** Takes the trail as it is: the mark begins anew at its end, and an audit entry says why. */
export async function acceptTrail(parts: TrailParts, acceptance: Acceptance): Promise<void> {
  const { store, clock, seed, mark } = parts
  const signer = createAuditSigner(seed)
  const head = await headOf(store.read)
  if ((await readKeyedPart(store.read, signer)).anchor === null) await closePlainPart(parts, signer, head)
  await mark.move(head)
  seal(parts, signer)
  await store.write(async (writer) => {
    await writer.mendAuditFilters()
    await writer.appendAudit(toEntry(clock, acceptance))
  })
}

function seal(parts: Pick<TrailParts, 'store' | 'mark'>, { linkKey }: AuditSigner): void {
  parts.store.sealTrail({ linkKey, mark: parts.mark })
}

/** Gives a store the key and the mark, before it can be read. Each change then demands that the trail extends the mark. */
export function sealUnread(parts: Pick<TrailParts, 'store' | 'mark' | 'seed'>): void {
  seal(parts, createAuditSigner(parts.seed))
}

/** Verifies the plain links of an older version once. From here on every link is keyed. */
async function closePlainPart(
  { store, clock, seed, mark, proof }: TrailParts,
  signer: AuditSigner,
  head: MarkedPlace,
): Promise<readonly StartNote[]> {
  const notes: StartNote[] = []
  if (head.seq > 0) {
    const found = await createAuditTrail(store, clock, seed, mark).verify(null)
    const text =
      found.break === null
        ? `audit trail: ${found.entries} entries of an older version were verified and closed with a keyed anchor at number ${head.seq}`
        : `audit trail: entries of an older version are not valid: at number ${found.break.seq}, ${found.break.what}. They are kept as they are; postern audit verify shows it. Later entries have keyed links`
    notes.push({ level: 'warn', text })
  }
  const { seq, hash } = head
  // First: an anchor without a mark would look as if the mark had been deleted
  await mark.move(head)
  await store.write(async (writer) => {
    // Another node has begun the trail at the same time
    if ((await writer.auditKeyAnchor()) === undefined)
      await writer.putAuditKeyAnchor(signer.keyAnchor({ seq, hash, time: toTime(clock.now()) }))
    await proof.put(writer)
  })
  return notes
}

/** Why the trail does not extend the mark, as a sentence; null when it does. Reads only what came after the mark. */
async function breakAfterMark(
  reader: ConfigReader,
  signer: AuditSigner,
  place: MarkedPlace,
): Promise<string | null> {
  const head = await headOf(reader)
  const marked = `the mark is at number ${place.seq}`
  if (head.seq < place.seq) return `The trail ends at number ${head.seq}, and ${marked}.`
  if ((await reader.revision()) < place.revision)
    return `The configuration has revision ${await reader.revision()}, and the mark records revision ${place.revision}.`
  const removed = (await reader.auditAnchors()).at(-1)
  const start = await startBefore(reader, signer, place, removed)
  if (typeof start === 'string') return start
  const { rule } = await readKeyedPart(reader, signer)
  const { break: found } = await walk(reader, rule, start, [{ ...place, whose: 'the mark', fault: null }])
  return found && `At number ${found.seq}, ${found.what}; ${marked}.`
}

/** Where to follow the links from, so that the marked entry itself is looked at; a sentence where there is no such place. */
async function startBefore(
  reader: ConfigReader,
  signer: AuditSigner,
  { seq }: AuditPlace,
  removed: StoredAnchor | undefined,
): Promise<AuditPlace | null | string> {
  if (removed !== undefined && removed.seq >= seq - 1) {
    const fault = signer.anchorFault(removed, `the anchor of retention at ${removed.time}`)
    return fault === null ? removed : sentence(fault)
  }
  if (seq <= 1) return null
  const [before] = await reader.auditLinks(seq - 2, 1)
  if (before?.seq === seq - 1 && before.hash !== null) return { seq: before.seq, hash: before.hash }
  return `The entry before number ${seq}, at which the mark is, was removed.`
}

async function headOf(reader: ConfigReader): Promise<MarkedPlace> {
  const { seq, hash } = (await reader.lastAuditLink()) ?? { seq: 0, hash: CHAIN_START }
  return { seq, hash, revision: await reader.revision() }
}

function isSame(a: AuditPlace, b: AuditPlace): boolean {
  return a.seq === b.seq && a.hash === b.hash
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}

function toEntry(clock: Clock, { operation, surface, actor, detail }: Acceptance): AuditEntry {
  return newAuditEntry(clock, {
    actor: { id: 'system', type: 'system', name: actor, auth_method: 'none' },
    surface,
    operation,
    action: 'UPDATE',
    resource: { type: 'audit', id: null, slug: null, collection: null },
    detail,
  })
}
