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
    is_draining boolean not null,
    counted text not null,
    seen_at timestamptz not null,
    joined_at timestamptz not null
  )`,
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

/** The schema of what nodes on one database share beside configuration and records. Files have none of it. */
export const SHARED_STATE_MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: 'state that nodes share',
    sqlite: [],
    postgres: [...NODES, ...EVENTS],
  },
]
