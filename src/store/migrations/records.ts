import type { Migration } from './migration.ts'

/** Steps of the records file, in order. A released step is never changed; a later one follows. */
export const RECORD_MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: 'blocks and quotas',
    sqlite: [
      `CREATE TABLE blocks (
         id INTEGER PRIMARY KEY AUTOINCREMENT,
         min_time INTEGER NOT NULL,
         max_time INTEGER NOT NULL,
         rows INTEGER NOT NULL,
         classes INTEGER NOT NULL,
         agents INTEGER NOT NULL,
         words TEXT NOT NULL,
         numbers BLOB NOT NULL,
         text BLOB NOT NULL
       ) STRICT`,
      'CREATE INDEX blocks_max_time ON blocks (max_time)',
      'CREATE INDEX blocks_rows ON blocks (rows, id)',
      `CREATE TABLE quotas (
         key TEXT PRIMARY KEY,
         period INTEGER NOT NULL,
         count INTEGER NOT NULL
       ) STRICT, WITHOUT ROWID`,
    ],
  },
  {
    version: 2,
    name: 'blocks from the oldest on',
    sqlite: ['CREATE INDEX blocks_min_time ON blocks (min_time)'],
  },
  {
    version: 3,
    name: 'the environment of a block',
    sqlite: ['ALTER TABLE blocks ADD COLUMN environment TEXT'],
  },
  {
    version: 4,
    name: 'a share for callers who have proved nothing',
    sqlite: [
      // Blocks of before hold both kinds of rows: they keep the place of those that others cannot push out
      'ALTER TABLE blocks ADD COLUMN proved INTEGER NOT NULL DEFAULT 1',
      'ALTER TABLE blocks ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0',
      'CREATE INDEX blocks_share ON blocks (proved, max_time, bytes)',
    ],
  },
  {
    version: 5,
    name: 'what retention has removed',
    sqlite: ['CREATE TABLE removed (id INTEGER PRIMARY KEY CHECK (id = 1), until INTEGER NOT NULL) STRICT'],
  },
  {
    version: 6,
    name: 'several periods of a quota',
    sqlite: [
      'ALTER TABLE quotas ADD COLUMN ends INTEGER NOT NULL DEFAULT 0',
      'ALTER TABLE quotas ADD COLUMN entered INTEGER NOT NULL DEFAULT 0',
      'ALTER TABLE quotas ADD COLUMN turn INTEGER NOT NULL DEFAULT 0',
      // Until now the key of a calendar quota ended with its kind; each kind gets a place of its own
      `UPDATE quotas SET
         entered = 1,
         ends = period + 86400000 * CASE substr(key, -1) WHEN 'd' THEN 1 WHEN 'w' THEN 7 ELSE 32 END,
         key = substr(key, 1, length(key) - 1) || 'q' || (instr('dwmz', substr(key, -1)) - 1)
       WHERE key GLOB '*[dwmz]'`,
      'UPDATE quotas SET ends = period WHERE ends = 0',
      'CREATE TABLE quota_turns (id INTEGER PRIMARY KEY CHECK (id = 1), turn INTEGER NOT NULL) STRICT',
      'INSERT INTO quota_turns (id, turn) VALUES (1, 0)',
    ],
  },
  {
    version: 7,
    name: 'rollups',
    sqlite: [
      `CREATE TABLE rollups (
         width INTEGER NOT NULL,
         facet INTEGER NOT NULL,
         shard INTEGER NOT NULL,
         start INTEGER NOT NULL,
         data BLOB NOT NULL,
         bytes INTEGER NOT NULL
       ) STRICT`,
      'CREATE UNIQUE INDEX rollups_place ON rollups (width, facet, shard, start)',
      'CREATE INDEX rollups_age ON rollups (width, start, bytes)',
      'CREATE TABLE rollup_words (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT',
      'CREATE TABLE uncarried (start INTEGER PRIMARY KEY) STRICT',
      'CREATE TABLE rollup_kept (width INTEGER PRIMARY KEY, since INTEGER NOT NULL) STRICT',
      // Of records that were removed before there were rollups, none tells
      `INSERT INTO rollup_kept (width, since)
         SELECT width, (until / width + 1) * width FROM removed,
           (SELECT 60000 AS width UNION ALL SELECT 3600000 UNION ALL SELECT 86400000)`,
      'CREATE TABLE uncounted (id INTEGER PRIMARY KEY) STRICT',
      'CREATE TRIGGER blocks_uncounted AFTER DELETE ON blocks BEGIN DELETE FROM uncounted WHERE id = old.id; END',
      'INSERT INTO uncounted (id) SELECT id FROM blocks',
    ],
  },
]
