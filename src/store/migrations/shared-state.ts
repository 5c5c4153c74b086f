import type { Migration } from './migration.ts'

/** Nodes on one database, and what each of them tells the others. */
const NODES: readonly string[] = [
  `create table shared_nodes (
    id text collate "C" primary key,
    epoch bigint not null,
    name text not null,
    place text not null,
    facts text not null,
    revision bigint not null,
    ended bigint not null,
    is_draining boolean not null,
    counted text not null,
    seen_at timestamptz not null,
    joined_at timestamptz not null
  )`,
]

/** What a link leads to, sealed. Times are milliseconds since the epoch; the number tells which link is older. */
const LINKS: readonly string[] = [
  `create table shared_links (
    kind text collate "C" not null,
    key text collate "C" not null,
    owner text collate "C",
    sealed bytea not null,
    ends_at bigint not null,
    number bigint generated always as identity,
    primary key (kind, key)
  )`,
  `create index shared_links_order on shared_links (kind, number)`,
]

/** Hashes of keys that were used once. From `until` on, milliseconds since the epoch, a key can be used again. */
const ONCE: readonly string[] = [
  `create table shared_once (
    key bytea primary key,
    until bigint not null
  )`,
  `create index shared_once_end on shared_once (until)`,
]

/**
 * Idempotency keys of callers. `process` with `number` is of one request alone, `node` with `epoch` tells whether the process lives.
 * `client` has the room that a key takes, in bytes; `until` as above. An answer is sealed.
 */
const KEYS: readonly string[] = [
  `create table shared_keys (
    key text collate "C" primary key,
    client text collate "C" not null,
    fingerprint text not null,
    process text collate "C" not null,
    number bigint not null,
    node text collate "C" not null,
    epoch bigint not null,
    state text not null check (state in ('open', 'cut_off', 'unkept', 'answered')),
    sealed bytea,
    bytes bigint not null,
    until bigint not null
  )`,
  `create index shared_keys_client on shared_keys (client, until)`,
  `create index shared_keys_end on shared_keys (until)`,
]

/** What nodes tell each other. Numbers come from a row that each insert locks, so that they have no gaps and follow the commits. */
const EVENTS: readonly string[] = [
  `create table shared_event_number (
    one boolean primary key check (one),
    last bigint not null
  )`,
  `insert into shared_event_number (one, last) values (true, 0)`,
  `create table shared_events (
    number bigint primary key,
    node text collate "C" not null,
    sealed bytea not null,
    at timestamptz not null
  )`,
  `create index shared_events_at on shared_events (at)`,
]

/** Exports, and the bytes of their files in order. `node` with `epoch` is of the process that writes one. */
const EXPORTS: readonly string[] = [
  `create table shared_exports (
    id text collate "C" primary key,
    state text not null,
    description text not null,
    node text collate "C" not null,
    epoch bigint not null
  )`,
  `create table shared_export_pieces (
    export text collate "C" not null references shared_exports (id) on delete cascade,
    number integer not null,
    bytes bytea not null,
    primary key (export, number)
  )`,
]

/** The schema of what nodes on one database share beside configuration and records. Files have none of it. */
export const SHARED_STATE_MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: 'state that nodes share',
    sqlite: [],
    postgres: [...NODES, ...EVENTS, ...LINKS, ...ONCE, ...KEYS, ...EXPORTS],
  },
]
