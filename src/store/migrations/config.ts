import { type Migration, toPostgres } from './migration.ts'

/** Tables and indexes, as SQLite reads them. */
const TABLES: readonly string[] = [
  `create table meta (
    name text primary key,
    value text not null
  ) strict`,
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
  `create table schemas (
    hash text primary key,
    json text not null
  ) strict`,
  // `autoincrement` gives no number: the writer does, under the lock. Another engine declares no identity: its gaps after a rollback
  // would look like removed entries
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
    entry text not null,
    approver text,
    request text,
    response text
  ) strict`,
  `create index audit_resource on audit (resource_type, seq)`,
  `create index audit_time on audit (time)`,
  `create table access_tokens (
    id text primary key,
    lookup text not null unique,
    hash text not null,
    name text not null,
    audience text not null,
    method text not null,
    created_at integer not null,
    expires_at integer not null,
    revoked_at integer,
    grants text not null default '[]',
    owner text,
    last_used_at integer
  ) strict`,
  `create table answers (
    scope text primary key,
    fingerprint text not null,
    answer text,
    expires_at integer not null
  ) strict`,
  `create index answers_expiry on answers (expires_at)`,
  `create table audit_chain (
    seq integer primary key,
    hash text not null
  ) strict`,
  `create table audit_checkpoints (
    seq integer primary key,
    hash text not null,
    time text not null,
    key text not null,
    signature text not null
  ) strict`,
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
  `create index access_tokens_owner on access_tokens (owner) where owner is not null`,
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
  `create table plans (
    id text primary key,
    owner text not null,
    documents text not null,
    steps text not null,
    revision integer not null,
    created_at integer not null,
    made_by text not null default ''
  ) strict`,
  `create index plans_age on plans (created_at)`,
  `create table applied (
    owner text not null,
    address text not null,
    resource_id text not null,
    spec text not null,
    primary key (owner, address)
  ) strict, without rowid`,
  `create table revisions (
    revision integer primary key,
    entry text not null
  ) strict`,
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
  `create table change_requests (
    id text primary key,
    state text not null,
    asker text not null,
    expires_at integer not null,
    sealed text,
    entry text not null
  ) strict, without rowid`,
  `create index change_requests_pending on change_requests (asker) where state in ('open', 'approved')`,
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
  `create index plans_made_by on plans (made_by, created_at)`,
  `create table audit_key_anchor (
    one integer primary key check (one = 1),
    seq integer not null,
    hash text not null,
    time text not null,
    mac text not null
  ) strict`,
  `create table facets (
    type text not null,
    name text not null,
    value text not null,
    resource_id text not null,
    primary key (type, name, value, resource_id)
  ) strict, without rowid`,
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
  `create table fragments (
    key text primary key,
    hash text,
    revision integer not null,
    form integer not null,
    json text
  ) strict`,
  `create index fragments_revision on fragments (revision)`,
  `create index fragments_dropped on fragments (revision) where json is null`,
  `create table jobs (
    name text primary key,
    last integer not null
  ) strict, without rowid`,
  `create table resource_state (
    resource_id text not null,
    part text not null,
    json text not null,
    primary key (resource_id, part)
  ) strict, without rowid`,
  `create index oauth_artifacts_account on oauth_artifacts (account_id, kind)`,
  `create table connections (
    "user" text not null,
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
    primary key ("user", origin)
  ) strict, without rowid`,
  `create index connections_origin on connections (origin, state, updated_at)`,
  `create index connections_origin_user on connections (origin, "user")`,
  `create index resources_updated on resources (type, updated_at, id)`,
]

/** What keeps the audit trail from being changed or removed, in SQLite. */
const SQLITE_GUARDS: readonly string[] = [
  `create trigger audit_no_update before update on audit begin select raise(abort, 'audit entries are never changed'); end`,
  `create trigger audit_chain_no_update before update on audit_chain begin select raise(abort, 'the audit chain is never changed'); end`,
  `create trigger audit_checkpoints_no_update before update on audit_checkpoints begin select raise(abort, 'the audit chain is never changed'); end`,
  `create trigger audit_anchors_no_update before update on audit_anchors begin select raise(abort, 'the audit chain is never changed'); end`,
  `create trigger audit_anchors_no_delete before delete on audit_anchors begin select raise(abort, 'the audit chain is never deleted'); end`,
  // An anchor says what is there, and is followed by the entry that tells of it
  `create trigger audit_anchors_true before insert on audit_anchors when not (new.seq > coalesce((select max(seq) from audit_anchors), 0) and new.entries = new.seq - coalesce((select max(seq) from audit_anchors), 0) and exists (select 1 from audit_checkpoints as it join audit_chain as link on link.seq = it.seq and link.hash = it.hash where it.seq = new.seq and it.hash = new.hash) and new.head_seq > new.seq and exists (select 1 from audit_chain as link join audit as it on it.seq = link.seq where link.seq = new.head_seq and link.hash = new.head_hash and it.operation = 'audit.retention') ) begin select raise(abort, 'an anchor stands on a checkpoint and is told of in an entry'); end`,
  // Deleted is what lies before an anchor, and nothing else
  `create trigger audit_no_delete before delete on audit when old.seq > coalesce((select max(seq) from audit_anchors), 0) begin select raise(abort, 'what no anchor of retention covers is never deleted'); end`,
  // Which replacing would do without a word to the trigger of deletions
  `create trigger audit_no_replace before insert on audit when exists (select 1 from audit where seq = new.seq or id = new.id) begin select raise(abort, 'the audit trail is never replaced'); end`,
  `create trigger audit_chain_no_delete before delete on audit_chain when old.seq > coalesce((select max(seq) from audit_anchors), 0) begin select raise(abort, 'what no anchor of retention covers is never deleted'); end`,
  `create trigger audit_chain_no_replace before insert on audit_chain when exists (select 1 from audit_chain where seq = new.seq) begin select raise(abort, 'the audit trail is never replaced'); end`,
  `create trigger audit_checkpoints_no_delete before delete on audit_checkpoints when old.seq > coalesce((select max(seq) from audit_anchors), 0) begin select raise(abort, 'what no anchor of retention covers is never deleted'); end`,
  `create trigger audit_checkpoints_no_replace before insert on audit_checkpoints when exists (select 1 from audit_checkpoints where seq = new.seq) begin select raise(abort, 'the audit trail is never replaced'); end`,
  `create trigger audit_key_anchor_no_update before update on audit_key_anchor begin select raise(abort, 'the audit chain is never changed'); end`,
  `create trigger audit_key_anchor_no_delete before delete on audit_key_anchor begin select raise(abort, 'the audit chain is never deleted'); end`,
  `create trigger audit_key_anchor_no_replace before insert on audit_key_anchor when exists (select 1 from audit_key_anchor) begin select raise(abort, 'the audit trail is never replaced'); end`,
]

/**
 * Likewise in PostgreSQL. The functions run with the search path of the step, whatever that of the caller is. An insert cannot replace a
 * row, so that no guard against it is needed: a primary key that is there refuses it.
 */
const POSTGRES_GUARDS: readonly string[] = [
  `create function audit_is_kept() returns trigger language plpgsql set search_path from current as $$
  begin
    raise exception 'the audit chain is never %', case tg_op when 'UPDATE' then 'changed' else 'deleted' end;
  end $$`,
  `create function audit_is_covered() returns trigger language plpgsql set search_path from current as $$
  begin
    if old.seq > coalesce((select max(seq) from audit_anchors), 0) then
      raise exception 'what no anchor of retention covers is never deleted';
    end if;
    return old;
  end $$`,
  `create function audit_anchor_is_true() returns trigger language plpgsql set search_path from current as $$
  declare
    last bigint := coalesce((select max(seq) from audit_anchors), 0);
  begin
    if not (new.seq > last and new.entries = new.seq - last
      and exists (select 1 from audit_checkpoints as it join audit_chain as link on link.seq = it.seq and link.hash = it.hash
        where it.seq = new.seq and it.hash = new.hash)
      and new.head_seq > new.seq
      and exists (select 1 from audit_chain as link join audit as it on it.seq = link.seq
        where link.seq = new.head_seq and link.hash = new.head_hash and it.operation = 'audit.retention')) then
      raise exception 'an anchor stands on a checkpoint and is told of in an entry';
    end if;
    return new;
  end $$`,
  ...['audit', 'audit_chain', 'audit_checkpoints', 'audit_anchors', 'audit_key_anchor'].flatMap((table) => [
    `create trigger ${table}_no_update before update on ${table} for each row execute function audit_is_kept()`,
    `create trigger ${table}_no_truncate before truncate on ${table} for each statement execute function audit_is_kept()`,
  ]),
  ...['audit_anchors', 'audit_key_anchor'].map(
    (table) =>
      `create trigger ${table}_no_delete before delete on ${table} for each row execute function audit_is_kept()`,
  ),
  ...['audit', 'audit_chain', 'audit_checkpoints'].map(
    (table) =>
      `create trigger ${table}_no_delete before delete on ${table} for each row execute function audit_is_covered()`,
  ),
  `create trigger audit_anchors_true before insert on audit_anchors for each row execute function audit_anchor_is_true()`,
]

/** Tells the other nodes on a database of a revision, at its commit. They read it every second as well. */
const POSTGRES_NOTICES: readonly string[] = [
  `create function tell_revision() returns trigger language plpgsql as $$
  begin
    perform pg_notify('postern_revision', new.value);
    return null;
  end $$`,
  `create trigger meta_tell_revision after insert or update on meta for each row when (new.name = 'config_revision') execute function tell_revision()`,
]

/** The schema of configuration and audit, oldest step first. Versions 1 to 25 were those of development: see `sqlite/converter.ts`. */
export const CONFIG_MIGRATIONS: readonly Migration[] = [
  {
    version: 26,
    name: 'configuration and audit in one step',
    sqlite: [...TABLES, ...SQLITE_GUARDS],
    postgres: [...TABLES.map(toPostgres), ...POSTGRES_GUARDS, ...POSTGRES_NOTICES],
  },
]
