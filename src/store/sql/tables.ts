import type { Expression, SqlBool } from 'kysely'
import type { ChangeRequest } from '../../model/access/approval.ts'
import type { StoredAnchor, StoredCheckpoint, StoredKeyAnchor } from '../ports/audit-chain.ts'
import type { StoredSetUpLink } from '../ports/config.ts'
import type { StoredConnection } from '../ports/connections.ts'
import type { OAuthArtifact, OAuthKey } from '../ports/oauth.ts'

/** The columns of the configuration database; {@link CONFIG_MIGRATIONS} makes them. JSON stays text: no query reads into it. */
export interface ConfigTables {
  meta: { name: string; value: string }
  resources: ResourceRow
  links: { from_id: string; to_id: string }
  /** What lists ask for, by members of {@link FACETS}. */
  facets: { type: string; name: string; value: string; resource_id: string }
  tokens: {
    id: string
    profile_id: string
    lookup: string
    hash: string
    created_at: number
    expires_at: number | null
    retires_at: number | null
    revoked_at: number | null
  }
  secrets: { owner_id: string; field: string; sealed: string; last4: string | null; updated_at: string }
  schemas: { hash: string; json: string }
  resource_state: { resource_id: string; part: string; json: string }
  audit: AuditRow
  audit_filters: AuditFiltersRow
  audit_chain: { seq: number; hash: string }
  audit_checkpoints: StoredCheckpoint
  audit_anchors: StoredAnchor
  audit_key_anchor: StoredKeyAnchor & { one: 1 }
  access_tokens: {
    id: string
    lookup: string
    hash: string
    name: string
    /** JSON */
    grants: string
    audience: string
    method: string
    created_at: number
    expires_at: number
    revoked_at: number | null
    owner: string | null
    last_used_at: number | null
  }
  plans: {
    id: string
    owner: string
    made_by: string
    documents: string
    /** JSON */
    steps: string
    revision: number
    created_at: number
  }
  /** Without hash and json: a tombstone. `json` is canonical JSON */
  fragments: { key: string; hash: string | null; revision: number; form: number; json: string | null }
  /** `last`: milliseconds since the epoch */
  jobs: { name: string; last: number }
  applied: {
    owner: string
    address: string
    resource_id: string
    /** JSON */
    spec: string
  }
  oauth_artifacts: OAuthArtifact
  oauth_keys: Omit<OAuthKey, 'purpose'> & { purpose: string }
  /** `active`: 0 or 1 */
  connections: Omit<StoredConnection, 'kind' | 'state' | 'active'> & {
    kind: string
    state: string
    active: number
  }
  passwords: { user_id: string; hash: string; changed_at: number }
  set_up_links: {
    hash: string
    user_id: string | null
    purpose: StoredSetUpLink['purpose']
    expires_at: number
  }
  /** `entry` is JSON */
  revisions: { revision: number; entry: string }
  revision_items: {
    revision: number
    resource_id: string
    type: string
    slug: string
    parent_id: string | null
    action: string
    /** JSON */
    before: string | null
  }
  change_requests: {
    id: string
    state: ChangeRequest['state']
    asker: string
    expires_at: number
    sealed: string | null
    /** JSON */
    entry: string
  }
  access_requests: {
    id: string
    requester: string
    requester_name: string
    client: string
    /** JSON */
    collections: string
    message: string
    state: string
    created_at: number
    expires_at: number
    decided_at: number | null
    decided_by: string | null
    reason: string | null
  }
  /** The members of `collections` of a request, so that it is found by them. */
  access_request_collections: { request_id: string; collection_id: string }
  answers: { scope: string; fingerprint: string; answer: string | null; expires_at: number }
}

export interface ResourceRow {
  id: string
  type: string
  slug: string
  parent_id: string | null
  name: string
  status: string | null
  lookup_key: string | null
  revision: number
  spec: string
  draft: string | null
  created_at: string
  created_by: string
  updated_at: string
  updated_by: string
  managed_by: string | null
}

interface AuditRow {
  /** Follows the last link, and is never given by the engine: a gap would look like a removed entry. */
  seq: number
  id: string
  time: string
  actor_id: string
  actor_name: string
  surface: string
  operation: string
  action: string
  resource_type: string
  resource_id: string | null
  resource_slug: string | null
  collection_id: string | null
  collection_slug: string | null
  outcome: string
  entry: string
  approver: string | null
  request: string | null
  response: string | null
}

/** What filters ask of an entry, read from it; null where it has none. */
interface AuditFiltersRow {
  seq: number
  actor_type: string | null
  auth_method: string | null
  agent: string | null
  agent_version: string | null
  session_id: string | null
  conversation_id: string | null
  method: string | null
  url: string | null
  status: number | null
  ip: string | null
  user_agent: string | null
  request_id: string | null
  plan_id: string | null
  revision_before: number | null
  revision_after: number | null
  config_revision: number | null
  approver_name: string | null
  error: string | null
  reason: string | null
  detail: string | null
  /** JSON */
  diff: string | null
}

// What engines write differently in the queries of this folder. All other SQL here is read alike by every engine. An engine
// keeps these promises:
//
// 1. Texts compare and sort by their bytes, as `binary` of SQLite and `collate "C"` of PostgreSQL do. Cursors rely on it.
// 2. Columns of whole numbers come back as JavaScript numbers. Counts and sums may come back as texts or bigints.
// 3. A statement may bind {@link ROWS_MAX} rows of eight values, or {@link IDS_MAX} single ones.

/**
 * Rows of one statement, written or, where there may be very many, read. SQLite binds at most 32,766 values, PostgreSQL 65,535; and
 * SQLite holds the thread until it has done all of them.
 */
export const ROWS_MAX = 1000
/** Values of one list; see {@link ROWS_MAX}. */
export const IDS_MAX = 1000

/** The expressions in which engines differ. */
export interface Dialect {
  /** The value of a column, written so that the engine uses no index for it. */
  unindexed(column: 'id' | 'parent_id'): Expression<string>
  /** Whether a text has a part; upper and lower case are alike, and no character of the part is special. */
  contains(text: Expression<string | null>, part: string): Expression<SqlBool>
}
