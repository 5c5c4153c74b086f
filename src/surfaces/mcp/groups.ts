import { ALL_KINDS } from '../../operations/kinds.ts'

/**
 * One or two sentences about each grouped tool, at most {@link GROUP_CHARS_MAX} characters. A model chooses the tool by
 * them, so they name every kind of resource that the tool has. A kind with a tool of its own says its sentence itself.
 */
export const GROUPS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ALL_KINDS.flatMap(({ group, tools }) => (tools === undefined ? [] : [[group, tools]])),
  ),
  manage_access: 'Users, teams, roles, grants, service identities, trust rules and personal tokens.',
  manage_config:
    'The configuration: revisions, rollback, plan, apply and export of documents, settings, change requests (approvals), your identity.',
  manage_keys: 'The keys that encrypt stored secrets.',
  query_audit: 'The audit log: who changed, read or was denied what, and when.',
  query_metrics: 'Metrics: errors and latency by status, endpoint, time, client or agent.',
  query_logs:
    'Request records: search, show, follow, replay or delete calls, or explain a request or refusal.',
  manage_exports: 'Exports of request records or the audit log to CSV or NDJSON.',
}

/** Longest sentence of a group. A longer one would leave too little of a description for the actions. */
export const GROUP_CHARS_MAX = 200
