/** Apart from the connections, so that the threads of request records load no query builder. */
import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely'
import { type PgPool, SCHEMA } from './connection.ts'

/** Makes queries on the tables in {@link SCHEMA}. It needs no end of its own: the pool has one. */
export function kyselyOver<Tables>(pool: PgPool): Kysely<Tables> {
  const dialect = new PostgresDialect({
    pool: {
      options: {},
      connect: async () => (await pool.connect()) as unknown as PostgresPoolClient,
      end: () => pool.end(),
    } as unknown as PostgresPool,
  })
  return new Kysely<Tables>({ dialect }).withSchema(SCHEMA)
}
