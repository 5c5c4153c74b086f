/** Links as rows, which any node takes. */
import { createSecretKey } from 'node:crypto'
import { decrypt, encrypt } from '../../../base/crypto/sealing.ts'
import type { LinkBounds, LinkKind, Links } from '../../../shared-state/ports/memory.ts'
import { SCHEMA } from '../connection.ts'
import { LOCKS } from '../migrate.ts'
import { DATABASE_NOW, type SharedDatabase } from './database.ts'

const TABLE = `${SCHEMA}.shared_links`
/** The second number of the lock under which links of a kind are counted and kept. */
const LOCK_OF: Readonly<Record<LinkKind, number>> = { secret: 1, sign_in: 2, connecting: 3 }

const STANDS = `kind = $1 and key = $2 and ends_at > ${DATABASE_NOW} + $3::bigint`

/**
 * Links of one kind. A value is sealed for its link. One that does not open is as an unknown link.
 * @param sealKey 32 bytes @param moved how far tests have moved the clock, milliseconds
 */
export function createLinkRows<Value>(
  database: SharedDatabase,
  kind: LinkKind,
  { max, ownMax = max, dropsOldest = false }: LinkBounds,
  sealKey: Uint8Array,
  moved: () => number,
): Links<Value> {
  const sealing = createSecretKey(sealKey)
  const placeOf = (key: string): string => `${kind} ${key}`

  function open(key: string, [row]: readonly Record<string, unknown>[]): Value | null {
    if (row === undefined) return null
    try {
      return JSON.parse(decrypt(sealing, row['sealed'] as Uint8Array, placeOf(key))) as Value
    } catch {
      return null
    }
  }

  return {
    put: (key, value, lifeMs, owner) =>
      database.transaction(async (client) => {
        // Who puts a link at the same time waits, so that the bounds hold
        await client.query(`select pg_advisory_xact_lock(${LOCKS.links}, ${LOCK_OF[kind]})`)
        await client.query(
          `delete from shared_links where kind = $1 and ends_at <= ${DATABASE_NOW} + $2::bigint`,
          [kind, moved()],
        )
        const { rows } = await client.query(
          'select count(*) as kept, count(*) filter (where owner = $2) as own from shared_links where kind = $1 and key <> $3',
          [kind, owner, key],
        )
        const { kept, own } = rows[0] as { kept: number; own: number }
        if (owner !== null && own >= ownMax) return false
        if (kept >= max) {
          if (!dropsOldest) return false
          await client.query(
            'delete from shared_links where kind = $1 and number in (select number from shared_links where kind = $1 order by number limit $2)',
            [kind, kept - max + 1],
          )
        }
        await client.query(
          `insert into shared_links (kind, key, owner, sealed, ends_at) values ($1, $2, $3, $4, ${DATABASE_NOW} + $5::bigint)
          on conflict (kind, key) do update set owner = excluded.owner, sealed = excluded.sealed, ends_at = excluded.ends_at`,
          [
            kind,
            key,
            owner,
            encrypt(sealing, JSON.stringify(value), placeOf(key)),
            moved() + Math.floor(lifeMs),
          ],
        )
        return true
      }),
    look: async (key) =>
      open(key, await database.query(`select sealed from ${TABLE} where ${STANDS}`, [kind, key, moved()])),
    take: async (key) =>
      open(
        key,
        await database.query(`delete from ${TABLE} where ${STANDS} returning sealed`, [kind, key, moved()]),
      ),
  }
}

/** Deletes what has ended. @param moved see {@link createLinkRows} */
export async function sweepLinkRows(database: SharedDatabase, moved: number): Promise<void> {
  await database.query(`delete from ${TABLE} where ends_at <= ${DATABASE_NOW} + $1::bigint`, [moved])
}
