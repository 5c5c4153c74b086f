import type { Migration } from './migration.ts'

/**
 * Steps of the records file, in order. A released step is never changed; a later one follows. Versions 1 to 7 were those of
 * development: see `sqlite/converter.ts`.
 */
export const RECORD_MIGRATIONS: readonly Migration[] = [
  {
    version: 8,
    name: 'records, quotas and rollups',
    sqlite: [
      `create table blocks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        min_time INTEGER NOT NULL,
        max_time INTEGER NOT NULL,
        rows INTEGER NOT NULL,
        classes INTEGER NOT NULL,
        agents INTEGER NOT NULL,
        words TEXT NOT NULL,
        numbers BLOB NOT NULL,
        text BLOB NOT NULL,
        environment TEXT,
        proved INTEGER NOT NULL DEFAULT 1,
        bytes INTEGER NOT NULL DEFAULT 0
      ) STRICT`,
      `create index blocks_max_time ON blocks (max_time)`,
      `create index blocks_rows ON blocks (rows, id)`,
      `create table quotas (
        key TEXT PRIMARY KEY,
        period INTEGER NOT NULL,
        count INTEGER NOT NULL,
        ends INTEGER NOT NULL DEFAULT 0,
        entered INTEGER NOT NULL DEFAULT 0,
        turn INTEGER NOT NULL DEFAULT 0
      ) STRICT, WITHOUT ROWID`,
      `create index blocks_min_time ON blocks (min_time)`,
      `create index blocks_share ON blocks (proved, max_time, bytes)`,
      `create table removed (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        until INTEGER NOT NULL
      ) STRICT`,
      `create table quota_turns (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        turn INTEGER NOT NULL
      ) STRICT`,
      `create table rollups (
        width INTEGER NOT NULL,
        facet INTEGER NOT NULL,
        shard INTEGER NOT NULL,
        start INTEGER NOT NULL,
        data BLOB NOT NULL,
        bytes INTEGER NOT NULL
      ) STRICT`,
      `create unique index rollups_place ON rollups (width, facet, shard, start)`,
      `create index rollups_age ON rollups (width, start, bytes)`,
      `create table rollup_words (
        id INTEGER PRIMARY KEY,
        text TEXT NOT NULL UNIQUE
      ) STRICT`,
      `create table uncarried (
        start INTEGER PRIMARY KEY
      ) STRICT`,
      `create table rollup_kept (
        width INTEGER PRIMARY KEY,
        since INTEGER NOT NULL
      ) STRICT`,
      `create table uncounted (
        id INTEGER PRIMARY KEY
      ) STRICT`,
      `create trigger blocks_uncounted AFTER DELETE ON blocks BEGIN DELETE FROM uncounted WHERE id = old.id; END`,
      `insert into quota_turns (id, turn) values (1, 0)`,
    ],
  },
]

/** Steps of the file of idempotency keys, in order. A released step is never changed; a later one follows. */
export const KEY_MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: 'keys',
    sqlite: [
      `CREATE TABLE keys (
         key TEXT PRIMARY KEY,
         fingerprint TEXT NOT NULL,
         until INTEGER NOT NULL,
         state TEXT NOT NULL CHECK (state IN ('open', 'unkept', 'answered')),
         sealed BLOB
       ) STRICT`,
    ],
  },
]
