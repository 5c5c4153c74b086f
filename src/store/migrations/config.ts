import type { Kysely } from 'kysely'
import { CHAIN_START, linkedValues, plainLink } from '../ports/audit-chain.ts'
import { fillAccessRequests, fillAuditFilters, fillFacets } from './fill.ts'
import { ask, type DataStep, type Migration } from './migration.ts'

/** Entries that are linked at once. */
const PIECE = 500

/** The schema of configuration and audit, oldest step first. */
export const CONFIG_MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: 'configuration and audit',
    sqlite: [
      `create table meta (name text primary key, value text not null) strict`,
      `create table resources (
        id text primary key,
        type text not null,
        slug text not null,
        parent_id text references resources (id),
        name text not null,
        status text,
        lookup_key text,
        revision integer not null,
        spec text not null,
        draft text,
        created_at text not null,
        created_by text not null,
        updated_at text not null,
        updated_by text not null,
        managed_by text
      ) strict`,
      `create unique index resources_slug on resources (type, slug, coalesce(parent_id, ''))`,
      `create index resources_order on resources (type, id)`,
      `create index resources_parent on resources (parent_id, type, id)`,
      `create index resources_key on resources (type, lookup_key)`,
      `create table links (
        from_id text not null references resources (id),
        to_id text not null references resources (id),
        primary key (from_id, to_id)
      ) strict, without rowid`,
      `create index links_to on links (to_id)`,
      `create table tokens (
        id text primary key,
        profile_id text not null references resources (id),
        lookup text not null unique,
        hash text not null,
        created_at integer not null,
        expires_at integer,
        retires_at integer,
        revoked_at integer
      ) strict`,
      `create index tokens_profile on tokens (profile_id)`,
      `create table secrets (
        owner_id text not null references resources (id),
        field text not null,
        sealed text not null,
        last4 text,
        updated_at text not null,
        primary key (owner_id, field)
      ) strict, without rowid`,
      `create table schemas (hash text primary key, json text not null) strict`,
      // `autoincrement` gives no number: the writer does, under the lock. Another engine declares no identity: its gaps after a rollback
      // would look like removed entries. Building the table anew would be of no use, and long for a large trail
      `create table audit (
        seq integer primary key autoincrement,
        id text not null unique,
        time text not null,
        actor_id text not null,
        actor_name text not null,
        surface text not null,
        operation text not null,
        action text not null,
        resource_type text not null,
        resource_id text,
        resource_slug text,
        collection_id text,
        collection_slug text,
        outcome text not null,
        entry text not null
      ) strict`,
      `create index audit_resource on audit (resource_type, seq)`,
      `create index audit_time on audit (time)`,
      `create trigger audit_no_update before update on audit begin select raise(abort, 'audit entries are never changed'); end`,
      `create trigger audit_no_delete before delete on audit begin select raise(abort, 'audit entries are never deleted'); end`,
    ],
  },
  {
    version: 2,
    name: 'access tokens and idempotent answers',
    sqlite: [
      `create table access_tokens (
        id text primary key,
        lookup text not null unique,
        hash text not null,
        name text not null,
        role text not null,
        audience text not null,
        method text not null,
        created_at integer not null,
        expires_at integer not null,
        revoked_at integer
      ) strict`,
      `create table answers (
        scope text primary key,
        fingerprint text not null,
        answer text,
        expires_at integer not null
      ) strict`,
      `create index answers_expiry on answers (expires_at)`,
    ],
  },
  {
    version: 3,
    name: 'grants of access tokens',
    sqlite: [
      `alter table access_tokens add column grants text not null default '[]'`,
      `update access_tokens set grants = json_array(json_object('role', role))`,
      `alter table access_tokens drop column role`,
    ],
  },
  {
    version: 4,
    name: 'a chain of audit entries',
    sqlite: [
      `create table audit_chain (seq integer primary key, hash text not null) strict`,
      `create table audit_checkpoints (
        seq integer primary key,
        hash text not null,
        time text not null,
        key text not null,
        signature text not null
      ) strict`,
      ...['audit_chain', 'audit_checkpoints'].flatMap((table) => [
        `create trigger ${table}_no_update before update on ${table} begin select raise(abort, 'the audit chain is never changed'); end`,
        `create trigger ${table}_no_delete before delete on ${table} begin select raise(abort, 'the audit chain is never deleted'); end`,
      ]),
    ],
    run: chainOlderEntries,
  },
  {
    version: 5,
    name: 'what the authorization server keeps',
    sqlite: [
      `create table oauth_artifacts (
        kind text not null,
        id text not null,
        sealed text not null,
        grant_id text,
        other_id text,
        account_id text,
        created_at integer not null,
        expires_at integer,
        used_at integer,
        primary key (kind, id)
      ) strict, without rowid`,
      `create index oauth_artifacts_grant on oauth_artifacts (grant_id)`,
      `create index oauth_artifacts_other on oauth_artifacts (kind, other_id)`,
      `create index oauth_artifacts_expiry on oauth_artifacts (expires_at)`,
      `create table oauth_keys (
        id text primary key,
        purpose text not null,
        public text,
        sealed text not null,
        created_at integer not null,
        retired_at integer
      ) strict, without rowid`,
      `update resources set spec = json_set(spec, '$.keys', json('[]')) where type = 'service_identities'`,
    ],
  },
  {
    version: 6,
    name: 'people',
    sqlite: [
      // Grants were those of service identities
      `update resources set spec = json_set(spec, '$.user', null, '$.team', null, '$.group', null) where type = 'grants'`,
      `create index resources_email on resources (json_extract(spec, '$.email')) where type = 'users'`,
      `alter table access_tokens add column owner text`,
      `alter table access_tokens add column last_used_at integer`,
      `create index access_tokens_owner on access_tokens (owner) where owner is not null`,
    ],
  },
  {
    version: 7,
    name: 'passwords and set-up links of local users',
    sqlite: [
      `create table passwords (
        user_id text primary key references resources (id),
        hash text not null,
        changed_at integer not null
      ) strict, without rowid`,
      `create table set_up_links (
        hash text primary key,
        user_id text references resources (id),
        purpose text not null,
        expires_at integer not null
      ) strict, without rowid`,
      `create index set_up_links_user on set_up_links (user_id)`,
    ],
  },
  {
    version: 8,
    name: 'plans, and what was applied last',
    sqlite: [
      `create table plans (
        id text primary key,
        owner text not null,
        documents text not null,
        steps text not null,
        revision integer not null,
        created_at integer not null
      ) strict`,
      `create index plans_age on plans (created_at)`,
      `create table applied (
        owner text not null,
        address text not null,
        resource_id text not null,
        spec text not null,
        primary key (owner, address)
      ) strict, without rowid`,
    ],
  },
  {
    version: 9,
    name: 'revisions of the configuration',
    sqlite: [
      `create table revisions (revision integer primary key, entry text not null) strict`,
      `create table revision_items (
        revision integer not null,
        resource_id text not null,
        type text not null,
        slug text not null,
        parent_id text,
        action text not null,
        before text,
        primary key (revision, resource_id)
      ) strict, without rowid`,
    ],
  },
  {
    version: 10,
    name: 'retention of the audit trail',
    sqlite: [
      `create table audit_anchors (
        seq integer primary key,
        hash text not null,
        entries integer not null,
        head_seq integer not null,
        head_hash text not null,
        time text not null,
        key text not null,
        signature text not null
      ) strict`,
      `create trigger audit_anchors_no_update before update on audit_anchors begin select raise(abort, 'the audit chain is never changed'); end`,
      `create trigger audit_anchors_no_delete before delete on audit_anchors begin select raise(abort, 'the audit chain is never deleted'); end`,
      // An anchor says what is there, and is followed by the entry that tells of it
      `create trigger audit_anchors_true before insert on audit_anchors when not (
        new.seq > coalesce((select max(seq) from audit_anchors), 0)
        and new.entries = new.seq - coalesce((select max(seq) from audit_anchors), 0)
        and exists (select 1 from audit_checkpoints as it join audit_chain as link on link.seq = it.seq and link.hash = it.hash
          where it.seq = new.seq and it.hash = new.hash)
        and new.head_seq > new.seq
        and exists (select 1 from audit_chain as link join audit as it on it.seq = link.seq
          where link.seq = new.head_seq and link.hash = new.head_hash and it.operation = 'audit.retention')
      ) begin select raise(abort, 'an anchor stands on a checkpoint and is told of in an entry'); end`,
      // Deleted is what lies before an anchor, and nothing else
      ...(['audit', 'audit_chain', 'audit_checkpoints'] as const).flatMap((table) => [
        `drop trigger ${table}_no_delete`,
        `create trigger ${table}_no_delete before delete on ${table} when old.seq > coalesce((select max(seq) from audit_anchors), 0)
          begin select raise(abort, 'what no anchor of retention covers is never deleted'); end`,
        // Which replacing would do without a word to the trigger above
        `create trigger ${table}_no_replace before insert on ${table} when exists (select 1 from ${table} where seq = new.seq${table === 'audit' ? ' or id = new.id' : ''})
          begin select raise(abort, 'the audit trail is never replaced'); end`,
      ]),
    ],
  },
  {
    version: 11,
    name: 'who approved a change, what was asked and what was answered',
    sqlite: ['approver', 'request', 'response'].map(
      (column) => `alter table audit add column ${column} text`,
    ),
  },
  {
    version: 12,
    name: 'change requests',
    sqlite: [
      `create table change_requests (
        id text primary key,
        state text not null,
        asker text not null,
        expires_at integer not null,
        sealed text,
        entry text not null
      ) strict, without rowid`,
      `create index change_requests_pending on change_requests (asker) where state in ('open', 'approved')`,
    ],
  },
  {
    version: 13,
    name: 'requests for access',
    sqlite: [
      `create table access_requests (
        id text primary key,
        requester text not null,
        requester_name text not null,
        client text not null,
        collections text not null,
        message text not null,
        state text not null,
        created_at integer not null,
        expires_at integer not null,
        decided_at integer,
        decided_by text,
        reason text
      ) strict, without rowid`,
      `create index access_requests_requester on access_requests (requester)`,
      `create index access_requests_open on access_requests (client) where state = 'open'`,
      `create index access_requests_age on access_requests (created_at)`,
      // What no one has said can be asked for cannot
      `update resources set spec = json_set(spec, '$.requestable', json('false')),
        draft = iif(draft is null, null, json_set(draft, '$.requestable', json('false')))
        where type = 'collections'`,
      `update applied set spec = json_set(spec, '$.requestable', json('false')) where address like 'collection/%'`,
    ],
  },
  {
    version: 14,
    name: 'who made a plan',
    sqlite: [
      `alter table plans add column made_by text not null default ''`,
      `create index plans_made_by on plans (made_by, created_at)`,
    ],
  },
  {
    version: 15,
    name: 'collections that hide themselves',
    sqlite: [
      `update resources set spec = json_set(spec, '$.hide_unassigned', json('false')),
        draft = iif(draft is null, null, json_set(draft, '$.hide_unassigned', json('false')))
        where type = 'collections'`,
      `update applied set spec = json_set(spec, '$.hide_unassigned', json('false')) where address like 'collection/%'`,
    ],
  },
  {
    version: 16,
    name: 'headers that a collection passes on',
    sqlite: [
      `update resources set spec = json_set(spec, '$.pass_headers', json('[]')),
        draft = iif(draft is null, null, json_set(draft, '$.pass_headers', json('[]')))
        where type = 'collections'`,
      `update applied set spec = json_set(spec, '$.pass_headers', json('[]')) where address like 'collection/%'`,
    ],
  },
  {
    version: 17,
    name: 'keyed links of audit entries',
    sqlite: [
      `create table audit_key_anchor (
        one integer primary key check (one = 1),
        seq integer not null,
        hash text not null,
        time text not null,
        mac text not null
      ) strict`,
      `create trigger audit_key_anchor_no_update before update on audit_key_anchor begin select raise(abort, 'the audit chain is never changed'); end`,
      `create trigger audit_key_anchor_no_delete before delete on audit_key_anchor begin select raise(abort, 'the audit chain is never deleted'); end`,
      `create trigger audit_key_anchor_no_replace before insert on audit_key_anchor when exists (select 1 from audit_key_anchor)
        begin select raise(abort, 'the audit trail is never replaced'); end`,
    ],
  },
  {
    version: 18,
    name: 'what lists and filters look in',
    sqlite: [
      `create table facets (
        type text not null,
        name text not null,
        value text not null,
        resource_id text not null,
        primary key (type, name, value, resource_id)
      ) strict, without rowid`,
      `drop index resources_email`,
      `create table access_request_collections (
        request_id text not null references access_requests (id),
        collection_id text not null,
        primary key (request_id, collection_id)
      ) strict, without rowid`,
      `create index access_request_collections_of on access_request_collections (collection_id)`,
      // No trigger guards it: it is no evidence, and can be filled anew from the entries
      `create table audit_filters (
        seq integer primary key,
        actor_type text,
        auth_method text,
        agent text,
        agent_version text,
        session_id text,
        conversation_id text,
        method text,
        url text,
        status integer,
        ip text,
        user_agent text,
        request_id text,
        plan_id text,
        revision_before integer,
        revision_after integer,
        config_revision integer,
        approver_name text,
        error text,
        reason text,
        detail text,
        diff text
      ) strict`,
    ],
    *run(db) {
      yield* fillFacets(db)
      yield* fillAccessRequests(db)
      yield* fillAuditFilters(db)
    },
  },
  {
    version: 19,
    name: 'compiled fragments',
    sqlite: [
      `create table fragments (
        key text primary key,
        hash text,
        revision integer not null,
        form integer not null,
        json text
      ) strict`,
      `create index fragments_revision on fragments (revision)`,
      `create index fragments_dropped on fragments (revision) where json is null`,
    ],
  },
  {
    version: 20,
    name: 'work that one process does for all',
    // A program of version 19 does the work without a claim, and repeats at most what another did
    compatibleFrom: 19,
    sqlite: [`create table jobs (name text primary key, last integer not null) strict, without rowid`],
  },
  {
    version: 21,
    name: 'what is kept of resources beside what was written, and virtual MCPs of clients',
    sqlite: [
      `create table resource_state (
        resource_id text not null,
        part text not null,
        json text not null,
        primary key (resource_id, part)
      ) strict, without rowid`,
      `update resources set spec = json_set(spec, '$.virtual_mcps', json('[]')) where type = 'clients'`,
      `update applied set spec = json_set(spec, '$.virtual_mcps', json('[]')) where address like 'client/%'`,
    ],
  },
  {
    version: 22,
    name: 'what was issued for an account is found by it',
    // A program of version 21 does not need the index, and keeps it
    compatibleFrom: 21,
    sqlite: [`create index oauth_artifacts_account on oauth_artifacts (account_id, kind)`],
  },
  {
    version: 23,
    name: 'accounts of people at origins',
    // A program of version 21 or 22 uses none of them, and leaves those of users and origins that it deletes, which nobody finds
    compatibleFrom: 21,
    sqlite: [
      `create table connections (
        user text not null,
        origin text not null,
        id text not null,
        kind text not null,
        state text not null,
        active integer not null,
        account_label text not null,
        issuer text not null,
        scope text not null,
        sealed text not null,
        expires_at integer,
        created_at integer not null,
        updated_at integer not null,
        primary key (user, origin)
      ) strict, without rowid`,
      `create index connections_origin on connections (origin, state, updated_at)`,
    ],
  },
  {
    version: 24,
    name: 'accounts at an origin are listed and ended in the order of their people',
    // A program of version 21 does not need the index, and keeps it
    compatibleFrom: 21,
    sqlite: [`create index connections_origin_user on connections (origin, user)`],
  },
  {
    version: 25,
    name: 'lists in the order of the last change',
    // A program of version 21 does not need the index, and keeps it
    compatibleFrom: 21,
    sqlite: [`create index resources_updated on resources (type, updated_at, id)`],
  },
]

/** Entries from before the chain are linked as they are found. */
function* chainOlderEntries(builder: Kysely<object>): DataStep {
  const db = builder.withTables<{
    audit: { seq: number }
    audit_chain: { seq: number; hash: string }
  }>()
  let hash = CHAIN_START
  for (let after = 0; ; ) {
    const found = yield* ask(
      db.selectFrom('audit').selectAll().where('seq', '>', after).orderBy('seq').limit(PIECE),
    )
    const rows: { seq: number; hash: string }[] = []
    for (const row of found) {
      after = row.seq
      hash = plainLink(hash, linkedValues(row))
      rows.push({ seq: after, hash })
    }
    if (rows.length === 0) return
    yield* ask(db.insertInto('audit_chain').values(rows))
  }
}
