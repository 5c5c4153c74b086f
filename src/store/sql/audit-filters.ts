/**
 * The columns by which the audit trail is filtered: a row beside each entry, read from the entry. The row is no evidence.
 * Verifying the trail compares it with the entry, so a changed row cannot hide an entry from a filter unnoticed.
 */
import type { Kysely } from 'kysely'
import type { AuditEntry } from '../../model/access/audit.ts'
import type { ConfigTables } from './tables.ts'

type Db = Kysely<ConfigTables>

/** Entries that are held at once. */
const PIECE = 500

/** The columns of `audit_filters` but the number of the entry. */
export type AuditFilters = Omit<ConfigTables['audit_filters'], 'seq'>

/** An entry as it was stored: entries of earlier versions have fewer members. */
type Stored = { readonly [Name in keyof AuditEntry]?: AuditEntry[Name] }

/** What filters find an entry by. */
export function auditFiltersOf(entry: Stored): AuditFilters {
  const { actor, agent, http, approver } = entry
  return {
    actor_type: actor?.type ?? null,
    auth_method: actor?.auth_method ?? null,
    agent: agent?.name ?? null,
    agent_version: agent?.version ?? null,
    session_id: agent?.session_id ?? null,
    conversation_id: agent?.conversation_id ?? null,
    method: http?.method ?? null,
    url: http?.url ?? null,
    status: http?.status ?? null,
    ip: entry.ip ?? null,
    user_agent: entry.user_agent ?? null,
    request_id: entry.request_id ?? null,
    plan_id: entry.plan_id ?? null,
    revision_before: entry.revision_before ?? null,
    revision_after: entry.revision_after ?? null,
    config_revision: entry.config_revision ?? null,
    approver_name: approver?.name ?? null,
    error: entry.error ?? null,
    reason: entry.reason ?? null,
    detail: entry.detail ?? null,
    diff: entry.diff === undefined ? null : JSON.stringify(entry.diff),
  }
}

/** The columns by the text of the entry. A text that is no entry has none: reading the entry finds the fault. */
function auditFiltersIn(text: string): AuditFilters {
  try {
    // Only appendAudit writes this text, from an AuditEntry
    return auditFiltersOf((JSON.parse(text) as Stored | null) ?? {})
  } catch {
    return auditFiltersOf({})
  }
}

// Its keys are those of the type that it is made as
const NAMES = Object.keys(auditFiltersOf({})) as (keyof AuditFilters)[]

/** Whether a row is what its entry says. */
export function areFiltersOf(text: string, row: AuditFilters | undefined): boolean {
  if (row === undefined) return false
  const filters = auditFiltersIn(text)
  for (const name of NAMES) if (filters[name] !== row[name]) return false
  return true
}

/** Writes the row of an entry. */
export async function putAuditFilters(db: Db, row: ConfigTables['audit_filters']): Promise<void> {
  await db
    .insertInto('audit_filters')
    .values(row)
    // Where entries were removed from outside, a row may be left of one with this number
    .onConflict((conflict) => conflict.column('seq').doUpdateSet(row))
    .execute()
}

/** See the writer of the store. */
export async function mendAuditFilters(db: Db): Promise<void> {
  for (let after = 0; ; ) {
    const entries = await db
      .selectFrom('audit')
      .select(['seq', 'entry'])
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(PIECE)
      .execute()
    const last = entries.at(-1)
    if (last === undefined) return
    const rows = await db
      .selectFrom('audit_filters')
      .selectAll()
      .where('seq', '>', after)
      .where('seq', '<=', last.seq)
      .execute()
    const known = new Map(rows.map((row) => [row.seq, row]))
    for (const { seq, entry } of entries)
      if (!areFiltersOf(entry, known.get(seq))) await putAuditFilters(db, { seq, ...auditFiltersIn(entry) })
    after = last.seq
  }
}
