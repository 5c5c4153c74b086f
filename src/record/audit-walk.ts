/** Follows the links of the audit trail and finds the first wrong one. */
import {
  type AuditLink,
  type AuditPlace,
  CHAIN_START,
  keyedLink,
  plainLink,
} from '../store/ports/audit-chain.ts'
import type { ConfigReader } from '../store/ports/config.ts'

/** Entries that are read at once. */
const PIECE = 500

const HIDDEN = 'what filters find the entry by was changed: it is not what the entry says'

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
    }
  }
  const last = head?.seq ?? 0
  const beyond = expectations.find(({ seq, fault }) => fault !== null || seq > last)
  if (beyond === undefined) return { entries, head: place(), break: hidden }
  const what =
    beyond.fault ??
    `the trail ends before number ${beyond.seq}, which ${beyond.whose} knows: entries were removed`
  return { entries, head: place(), break: { seq: beyond.seq, id: null, what } }
}

function faultOf(
  { key, plainUpTo }: LinkRule,
  { seq, hash, columns }: AuditLink,
  before: AuditPlace | null,
  expectations: readonly Expected[],
): string | null {
  if (columns === null) return 'an entry was removed: its link is there, and it is not'
  if (hash === null) return 'an entry was inserted: it has no link'
  if (seq !== (before?.seq ?? 0) + 1) return 'entries were removed before this one'
  const last = before?.hash ?? CHAIN_START
  const isKeyed = seq > plainUpTo
  if ((isKeyed ? keyedLink(key, last, columns) : plainLink(last, columns)) !== hash)
    return isKeyed && plainLink(last, columns) === hash
      ? 'the link is not keyed: it was made without the key'
      : 'the entry does not follow from the one before it: it was changed, moved or inserted'
  for (const { hash: wanted, whose, fault } of expectations) {
    if (fault !== null) return fault
    if (wanted !== hash) return `${whose} knows another entry here: the trail up to it was made anew`
  }
  return null
}
