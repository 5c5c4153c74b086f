/** Rollups of request records in PostgreSQL. The process that does the upkeep writes them. */
import type { RollupChange, RollupKey, RollupRow, RollupStore } from '../ports/records.ts'
import { type PgClient, SCHEMA } from './connection.ts'
import { BIGINT, BYTES, INTEGER, numeral, TEXT } from './copy-out.ts'
import { readBlocks } from './record-blocks.ts'
import type { RecordDatabase } from './record-database.ts'
import type { Upkeep } from './record-upkeep.ts'

/** Shards that one statement writes. */
const ROWS_AT_ONCE = 200

export function createRollupStore(database: RecordDatabase, upkeep: Upkeep): RollupStore {
  const copy = <T>(
    select: string,
    columns: readonly ((...of: never[]) => unknown)[],
  ): Promise<readonly T[]> =>
    database.use((client) => client.copy(select, columns as never)) as Promise<readonly T[]>
  return {
    async words() {
      const rows = await copy<[string, number]>(
        `select text, id from ${SCHEMA}.record_rollup_words order by id`,
        [TEXT, INTEGER],
      )
      return new Map(rows)
    },
    async uncounted(blocksMax) {
      if (!(await upkeep.hold())) return []
      return database.use((client) =>
        readBlocks(
          client,
          `from ${SCHEMA}.record_uncounted u join ${SCHEMA}.record_blocks b on b.id = u.id order by u.id limit ${numeral(blocksMax)}`,
        ),
      )
    },
    async isCounted(block) {
      const { rowCount } = await database.use((client) =>
        client.query(`select 1 from ${SCHEMA}.record_uncounted where id = $1`, [block]),
      )
      return rowCount === 0
    },
    async uncarried() {
      if (!upkeep.isHeld) return []
      return (await copy<[number]>(`select start from ${SCHEMA}.record_uncarried`, [BIGINT])).map(
        ([start]) => start,
      )
    },
    async startingAt(widthMs, startMs) {
      const rows = await copy<[number, number, Uint8Array]>(
        `select facet, shard, data from ${SCHEMA}.record_rollups where width = ${numeral(widthMs)} and start = ${numeral(startMs)}`,
        [INTEGER, INTEGER, BYTES],
      )
      return rows.map(([facet, shard, data]) => ({ widthMs, startMs, facet, shard, data }))
    },
    async read(keys) {
      if (keys.length === 0) return []
      const places = keys.map(
        ({ widthMs, facet, shard, startMs }, at) =>
          `(${at}, ${[widthMs, facet, shard, startMs].map(numeral).join(', ')})`,
      )
      const rows = await copy<[number, Uint8Array]>(
        `select k.place, r.data from (values ${places.join(', ')}) as k (place, width, facet, shard, start)
           join ${SCHEMA}.record_rollups r
             on r.width = k.width and r.facet = k.facet and r.shard = k.shard and r.start = k.start`,
        [INTEGER, BYTES],
      )
      const found = new Map(rows)
      return keys.map((_, at) => found.get(at) ?? null)
    },
    save: (change, counted) =>
      upkeep.transaction(async (client) => {
        await writeRollups(client, change)
        await count(client, counted)
      }),
    async prune(before, bytesMax) {
      if (!(await upkeep.hold())) return
      await upkeep.transaction(async (client) => {
        for (const [widthMs, startMs] of before) {
          const { rowCount } = await client.query(
            `delete from ${SCHEMA}.record_rollups where width = $1 and start < $2`,
            [widthMs, startMs],
          )
          if (rowCount !== 0) await noteKept(client, widthMs, startMs)
        }
        for (let bytes = await sizeOf(client); bytes > bytesMax; ) {
          const gone = await removeOldest(client)
          if (gone === 0) break
          bytes -= gone
        }
      })
    },
  }
}

/** Writes a change of the rollups in a transaction of the upkeep. */
export async function writeRollups(client: PgClient, change: RollupChange): Promise<void> {
  const { rows, words, uncarried, carried } = change
  if (uncarried.length > 0)
    await client.query(
      `insert into ${SCHEMA}.record_uncarried (start) select unnest($1::bigint[]) on conflict do nothing`,
      [uncarried],
    )
  if (carried.length > 0)
    await client.query(`delete from ${SCHEMA}.record_uncarried where start = any ($1::bigint[])`, [carried])
  if (words.length > 0)
    await client.query(
      `insert into ${SCHEMA}.record_rollup_words (id, text) select * from unnest($1::integer[], $2::bytea[])`,
      [words.map(([id]) => id), words.map(([, text]) => Buffer.from(text))],
    )
  for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) await put(client, rows.slice(at, at + ROWS_AT_ONCE))
}

async function put(client: PgClient, rows: readonly RollupRow[]): Promise<void> {
  let parameter = 1
  const places = rows.map(() => `(${Array.from({ length: 6 }, () => `$${parameter++}`).join(', ')})`)
  await client.query(
    `insert into ${SCHEMA}.record_rollups (width, facet, shard, start, bytes, data) values ${places.join(', ')}
       on conflict (width, facet, shard, start) do update set data = excluded.data, bytes = excluded.bytes`,
    rows.flatMap(({ data, ...key }) => [...placeOf(key), data.byteLength, data]),
  )
}

function placeOf({ widthMs, facet, shard, startMs }: RollupKey): number[] {
  return [widthMs, facet, shard, startMs]
}

/** Notes that rollups count these blocks now. */
async function count(client: PgClient, blocks: readonly number[]): Promise<void> {
  if (blocks.length === 0) return
  await client.query(
    `with counted as (delete from ${SCHEMA}.record_uncounted where id = any ($1::bigint[]) returning id),
     more as (
       select b.proved, sum(b.bytes) as bytes
         from ${SCHEMA}.record_blocks b join counted on counted.id = b.id group by b.proved)
     update ${SCHEMA}.record_sizes s set bytes = s.bytes + more.bytes from more where more.proved = s.proved`,
    [blocks],
  )
}

/** Bytes of all shards. */
async function sizeOf(client: PgClient): Promise<number> {
  const { rows } = await client.query(
    `select coalesce(sum(bytes), 0)::bigint as bytes from ${SCHEMA}.record_rollups`,
  )
  return Number(rows[0]?.['bytes'])
}

/** Deletes the oldest shards of the narrowest width. @returns their bytes; 0 where there are none */
async function removeOldest(client: PgClient): Promise<number> {
  const { rows } = await client.query(
    `with oldest as (select width, start from ${SCHEMA}.record_rollups order by width, start limit 1)
     delete from ${SCHEMA}.record_rollups r using oldest o
       where r.width = o.width and r.start = o.start returning r.width, r.start, r.bytes`,
  )
  const [first] = rows
  if (first === undefined) return 0
  await noteKept(client, Number(first['width']), Number(first['start']) + Number(first['width']))
  return rows.reduce((sum, row) => sum + Number(row['bytes']), 0)
}

async function noteKept(client: PgClient, widthMs: number, sinceMs: number): Promise<void> {
  await client.query(
    `insert into ${SCHEMA}.record_rollup_kept (width, since) values ($1, $2)
       on conflict (width) do update set since = greatest(record_rollup_kept.since, excluded.since)`,
    [widthMs, sinceMs],
  )
}
