import { createHash, createHmac } from 'node:crypto'

/** What an entry is linked by: everything that is stored of it, so that nothing it is found by can be changed either. */
export const AUDIT_COLUMNS = [
  'seq',
  'id',
  'time',
  'actor_id',
  'actor_name',
  'surface',
  'operation',
  'action',
  'resource_type',
  'resource_id',
  'resource_slug',
  'collection_id',
  'collection_slug',
  'outcome',
  'entry',
  'approver',
  'request',
  'response',
] as const

/** What the first entry follows. */
export const CHAIN_START = ''

/**
 * The values of an entry's row that its link is made of. What is null at the end is left out, so that entries from
 * before the last columns have the links they had; no two rows have the same values.
 */
export function linkedValues(row: Partial<Readonly<Record<AuditColumn, unknown>>>): readonly unknown[] {
  const values = AUDIT_COLUMNS.map((column) => row[column] ?? null)
  return values.slice(0, values.findLastIndex((value) => value !== null) + 1)
}

type AuditColumn = (typeof AUDIT_COLUMNS)[number]

/**
 * The link of an entry of an older version: SHA-256, in hex, of the link before it and of its values as JSON. Anyone can
 * compute it. Entries up to {@link StoredKeyAnchor} have it.
 */
export function plainLink(before: string, columns: readonly unknown[]): string {
  return createHash('sha256')
    .update(JSON.stringify([before, ...columns]))
    .digest('hex')
}

/** The link of an entry: HMAC-SHA-256, in hex, of the link before it and of its values as JSON. @param key 32 bytes */
export function keyedLink(key: Uint8Array, before: string, columns: readonly unknown[]): string {
  return createHmac('sha256', key)
    .update(JSON.stringify([before, ...columns]))
    .digest('hex')
}

/** Number and link of an entry. Number 0 with {@link CHAIN_START} stands before the first entry. */
export interface AuditPlace {
  readonly seq: number
  readonly hash: string
}

/** The last entry of the trail, and the revision of the configuration at that time. */
export interface MarkedPlace extends AuditPlace {
  readonly revision: number
}

/** The high-water mark of the trail. It is kept outside of the store, so that an older or changed store is noticed. */
export interface AuditMark {
  /** The last entry that this process knows. */
  readonly place: MarkedPlace
  /** Moves the mark. `place` changes at once; the promise resolves when the mark is on disk, and never rejects. */
  move(place: MarkedPlace): Promise<void>
}

/** What the store needs to add entries to the trail. */
export interface TrailSeal {
  /** 32 bytes, for {@link keyedLink}. */
  readonly linkKey: Uint8Array
  readonly mark: AuditMark
}

/** Closes the part of the trail that has plain links: every later link is keyed. */
export interface StoredKeyAnchor extends AuditPlace {
  /** RFC 3339. */
  readonly time: string
  /** HMAC-SHA-256 of the other members, base64url. */
  readonly mac: string
}

/** An entry and its link. One of the two may be missing where somebody has changed the file. */
export interface AuditLink {
  readonly seq: number
  readonly hash: string | null
  readonly id: string | null
  /** As {@link linkedValues}. */
  readonly columns: readonly unknown[] | null
  /** Whether filters find the entry by what it says. */
  readonly isFindable: boolean
}

/** That the chain had this link under this number at this time, signed. */
export interface StoredCheckpoint {
  readonly seq: number
  readonly hash: string
  /** RFC 3339. */
  readonly time: string
  /** Id of the key that has signed it. */
  readonly key: string
  /** Ed25519, base64url. */
  readonly signature: string
}

/** That retention has removed all entries up to this link, signed. */
export interface StoredAnchor {
  /** Of the last entry that was removed. */
  readonly seq: number
  /** Its link, from which the next entry follows. */
  readonly hash: string
  /** How many were removed this time. */
  readonly entries: number
  /** The entry that retention has made of that, and its link. */
  readonly head_seq: number
  readonly head_hash: string
  /** RFC 3339. */
  readonly time: string
  /** Id of the key that has signed it. */
  readonly key: string
  /** Ed25519, base64url. */
  readonly signature: string
}
