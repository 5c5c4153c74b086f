import type { Migration } from './migration.ts'

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
