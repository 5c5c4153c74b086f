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
    // Of a database that holds the configuration too: each name begins with `record_`
    postgres: [
      `create sequence record_block_ids`,
      `create table record_blocks (
        id bigint primary key,
        min_time bigint not null,
        max_time bigint not null,
        rows integer not null,
        classes integer not null,
        agents integer not null,
        environment text collate "C",
        proved boolean not null,
        bytes bigint not null,
        words text collate "C" not null,
        numbers bytea not null,
        text bytea not null
      )`,
      // A quarter of the time of the other compression. A server that was built without it does without
      `do $$ begin
        alter table record_blocks alter column words set compression lz4,
          alter column numbers set compression lz4, alter column text set compression lz4;
      exception when feature_not_supported or syntax_error or invalid_parameter_value then null;
      end $$`,
      `create index record_blocks_max_time on record_blocks (max_time, id)`,
      `create index record_blocks_min_time on record_blocks (min_time, id)`,
      `create index record_blocks_rows on record_blocks (rows)`,
      `create index record_blocks_share on record_blocks (proved, max_time, id)`,
      `create table record_uncounted (id bigint primary key)`,
      // Of the blocks that rollups count: the process that does the upkeep writes here alone, so that nobody waits for these rows
      `create table record_sizes (proved boolean primary key, bytes bigint not null)`,
      `insert into record_sizes (proved, bytes) values (true, 0), (false, 0)`,
      `create table record_removed (id smallint primary key check (id = 1), until bigint not null)`,
      // What each node has counted itself. Of a calendar quota also what it may count beyond that, in which the others leave it alone
      `create table record_quotas (
        key text collate "C" not null,
        node text collate "C" not null default '',
        period bigint not null,
        ends bigint not null,
        entered bigint not null,
        count bigint not null,
        turn bigint not null,
        max bigint not null default 0,
        cost bigint not null default 0,
        share bigint not null default 0,
        changed bigint not null default 0,
        primary key (key, node)
      )`,
      `create index record_quotas_counter on record_quotas (left(key, -2))`,
      `create index record_quotas_changed on record_quotas (changed)`,
      `create table record_quota_turns (
        id smallint primary key check (id = 1),
        turn bigint not null,
        exchanges bigint not null default 0
      )`,
      `insert into record_quota_turns (id, turn) values (1, 0)`,
      `create table record_rollups (
        width bigint not null,
        facet integer not null,
        shard integer not null,
        start bigint not null,
        bytes bigint not null,
        data bytea not null,
        primary key (width, facet, shard, start)
      )`,
      `create index record_rollups_age on record_rollups (width, start, bytes)`,
      // In UTF-8: a text of PostgreSQL holds no U+0000, which stands between the parts of a word
      `create table record_rollup_words (id integer primary key, text bytea not null)`,
      `create table record_uncarried (start bigint primary key)`,
      `create table record_rollup_kept (width bigint primary key, since bigint not null)`,
      // The last append of each process, so that one whose answer was lost is told from one that has failed
      `create table record_writers (
        writer text collate "C" primary key,
        seq bigint not null,
        at timestamptz not null
      )`,
      // Which process does the upkeep, by the clock of the server
      `create table record_upkeep (
        id smallint primary key check (id = 1),
        store text collate "C" not null,
        holder text collate "C",
        term bigint not null,
        used timestamptz not null,
        erasing_until timestamptz not null
      )`,
      `insert into record_upkeep (id, store, term, used, erasing_until)
        values (1, md5(random()::text || clock_timestamp()::text), 0, '-infinity', '-infinity')`,
      `create table record_probes (id smallint primary key check (id = 1), at timestamptz not null)`,
      `insert into record_probes (id, at) values (1, clock_timestamp())`,
    ],
  },
  {
    version: 9,
    name: 'the order in which blocks were stored',
    // A merged block without its place stands at its id: readers in that order get its rows again
    compatibleFrom: 8,
    sqlite: [
      `ALTER TABLE blocks ADD COLUMN place INTEGER`,
      `CREATE INDEX blocks_place ON blocks (coalesce(place, id))`,
      `CREATE TABLE identity (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        name TEXT NOT NULL
      ) STRICT`,
      `INSERT INTO identity (id, name) VALUES (1, lower(hex(randomblob(16))))`,
    ],
    postgres: [
      `alter table record_blocks add column place bigint`,
      `create index record_blocks_place on record_blocks ((coalesce(place, id)))`,
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
