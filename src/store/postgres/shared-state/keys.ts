/** Idempotency keys as rows. */

import type { FoundKey, SharedKeyRows } from '../../ports/shared-keys.ts'
import { StoreUnavailable } from '../../ports/unavailable.ts'
import { SCHEMA } from '../connection.ts'
import { DATABASE_NOW, isGone, type SharedDatabase } from './database.ts'

const TABLE = `${SCHEMA}.shared_keys`
const KEPT_FOR_MS = 24 * 3_600_000
/** A key may be freed between the two statements of a claim, and be claimed again. */
const TRIES = 3
/** An answer may have half a megabyte. */
const ROWS_PER_STATEMENT = 100

const OWN = 'key = $1 and process = $2 and number = $3'

/** True for a row whose process makes no request any more. */
const IS_GONE = isGone('it')

/** @param moved how far tests have moved the clock, milliseconds */
export function createKeyRows(database: SharedDatabase, moved: () => number): SharedKeyRows {
  return {
    async claim({ key, client, fingerprint, process, number, node, bytes }) {
      for (let tries = 0; tries < TRIES; tries++) {
        const claimed = await database.query(
          `insert into ${TABLE} as it (key, client, fingerprint, process, number, node, epoch, state, bytes, until)
          values ($1, $2, $3, $4, $5, $6, $7, 'open', $8, ${DATABASE_NOW} + $9::bigint + ${KEPT_FOR_MS})
          on conflict (key) do update set client = excluded.client, fingerprint = excluded.fingerprint, process = excluded.process,
            number = excluded.number, node = excluded.node, epoch = excluded.epoch, state = 'open', sealed = null, bytes = excluded.bytes, until = excluded.until
          where it.until <= ${DATABASE_NOW} + $9::bigint and (it.state <> 'open' or ${IS_GONE})
          returning 1`,
          [key, client, fingerprint, process, number, node.id, node.epoch, bytes, moved()],
        )
        if (claimed.length === 1) return null
        const [found] = await database.query(
          `select fingerprint, sealed, case when state = 'open' and ${IS_GONE} then 'cut_off' else state end as state
          from ${TABLE} it where key = $1`,
          [key],
        )
        if (found !== undefined)
          return {
            fingerprint: String(found['fingerprint']),
            state: found['state'] as FoundKey['state'],
            sealed: found['sealed'] as Uint8Array | null,
          }
      }
      throw new StoreUnavailable('locked', 'an idempotency key was freed and claimed again and again')
    },
    async end({ key, process, number, state, sealed, bytes }) {
      await database.query(
        `update ${TABLE} set state = $4, sealed = $5, bytes = $6, until = ${DATABASE_NOW} + $7::bigint + ${KEPT_FOR_MS} where ${OWN}`,
        [key, process, number, state, sealed, bytes, moved()],
      )
    },
    async release({ key, process, number }) {
      await database.query(`delete from ${TABLE} where ${OWN}`, [key, process, number])
    },
    async releaseOthers(process, next, claims) {
      await database.query(
        `delete from ${TABLE} where process = $1 and number < $2 and state = 'open' and number <> all ($3)`,
        [process, next, claims],
      )
    },
    async takeOver(rows) {
      for (let at = 0; at < rows.length; at += ROWS_PER_STATEMENT) {
        const some = rows.slice(at, at + ROWS_PER_STATEMENT)
        await database.query(
          `insert into ${TABLE} (key, client, fingerprint, process, number, node, epoch, state, sealed, bytes, until)
          select key, client, fingerprint, '', 0, '', 0, state, sealed, bytes, until
          from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::bigint[], $7::bigint[])
            as its (key, client, fingerprint, state, sealed, bytes, until)
          on conflict (key) do nothing`,
          [
            some.map(({ key }) => key),
            some.map(({ client }) => client),
            some.map(({ fingerprint }) => fingerprint),
            some.map(({ state }) => (state === 'open' ? 'cut_off' : state)),
            some.map(({ sealed }) => sealed && Buffer.from(sealed)),
            some.map(({ bytes }) => bytes),
            some.map(({ until }) => until),
          ],
        )
      }
    },
    async trim(bytesMax) {
      await database.query(
        `delete from ${TABLE} it where until <= ${DATABASE_NOW} + $1::bigint and (state <> 'open' or ${IS_GONE})`,
        [moved()],
      )
      const shares = await database.query(
        `select client, sum(bytes)::bigint as bytes from ${TABLE} group by client order by sum(bytes) desc`,
      )
      const most = shareOf(
        shares.map(({ bytes }) => Number(bytes)),
        bytesMax,
      )
      for (const { client, bytes } of shares) {
        if (Number(bytes) <= most) break
        await database.query(
          `delete from ${TABLE} where key in (
            select key from (
              select key, state, sum(bytes) over (order by state = 'open' desc, until desc, key) as taken from ${TABLE} where client = $1
            ) as its where taken > $2 and state <> 'open'
          )`,
          [client, most],
        )
      }
    },
    async probe() {
      await database.query(`select 1 from ${TABLE} limit 1`)
    },
  }
}

/** How much each may have at most, so that all of them fit. @param sizes the largest first */
function shareOf(sizes: readonly number[], max: number): number {
  let rest = max
  for (let at = sizes.length - 1; at >= 0; at--) {
    // Those that are as large as this one, or larger, have equal shares of what the smaller ones leave
    if (sizes[at]! * (at + 1) > rest) return Math.floor(rest / (at + 1))
    rest -= sizes[at]!
  }
  return Number.POSITIVE_INFINITY
}
