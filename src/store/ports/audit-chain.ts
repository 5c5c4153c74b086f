import { createHash } from 'node:crypto'

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

/** The link of an entry: SHA-256, in hex, of the link before it and of its values as JSON. */
export function nextLink(before: string, columns: readonly unknown[]): string {
  return createHash('sha256')
    .update(JSON.stringify([before, ...columns]))
    .digest('hex')
}

/** An entry and its link. One of the two may be missing where somebody has changed the file. */
export interface AuditLink {
  readonly seq: number
  readonly hash: string | null
  readonly id: string | null
  /** As {@link linkedValues}. */
  readonly columns: readonly unknown[] | null
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
