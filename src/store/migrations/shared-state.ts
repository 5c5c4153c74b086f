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

/** The schema of what nodes on one database share beside configuration and records. Files have none of it. */
export const SHARED_STATE_MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: 'nodes',
    sqlite: [],
    postgres: [...NODES],
  },
]
