/** Reads request records from PostgreSQL. Each question has a snapshot of its own, and one is answered at a time. */
import type { DatabaseAddress } from '../../base/net/database-url.ts'
import { createTurns } from '../../base/threads/in-line.ts'
import type { BlockRange, RecordBlock, RecordReader, RollupView, StartedShard } from '../ports/records.ts'
import { openPool, type PgClient, SCHEMA } from './connection.ts'
import { BIGINT, BYTES, INTEGER, numeral, TEXT } from './copy-out.ts'
import { inTransaction } from './migrate.ts'
import { lastCommitted, lastPlace, readBlocks, within } from './record-blocks.ts'

/** Blocks that are read at a time: few at first, because a page of a list needs no more. */
const BLOCKS_FIRST = 2
const BLOCKS_MAX = 32
/** Shards that are read at a time. */
const SHARDS_AT_ONCE = 64
/** Blocks of which `rowsWithin` reads the counts at first. */
const COUNTED_FIRST = 200

/** A thread that stops keeps a snapshot no longer than this: the server cannot clean what is younger. */
const BEGIN =
  "begin isolation level repeatable read read only; set local idle_in_transaction_session_timeout = '30s'"

/** Opens the records of a database for reading only. It need not be reachable yet: then questions reject with StoreUnavailable. */
export async function openRecordReader(address: DatabaseAddress): Promise<RecordReader> {
  const pool = await openPool(address, 1, () => {})
  const turns = createTurns()
  const words = new Words()
  const reading = <T>(work: (client: PgClient) => Promise<T>): Promise<T> =>
    turns.run(() => inTransaction(pool, work, { begin: BEGIN }))
  return {
    scan: (range, visit, order = 'newest') => reading((client) => scan(client, range, visit, order)),
    removedUntil: () =>
      reading(async (client) => {
        const { rows } = await client.query(`select until from ${SCHEMA}.record_removed`)
        return rows[0] === undefined ? null : Number(rows[0]['until'])
      }),
    async next(after) {
      if (!(await reading((client) => hasBlocksAfter(client, after)))) return undefined
      const last = await turns.run(() => inTransaction(pool, lastCommitted, { begin: 'begin' }))
      return reading(async (client) => {
        const [block] = await readBlocks(
          client,
          `from ${SCHEMA}.record_blocks b
             where coalesce(b.place, b.id) > ${numeral(after)} and coalesce(b.place, b.id) <= ${numeral(last)}
             order by coalesce(b.place, b.id) limit 1`,
        )
        return block && { block, place: await lastPlace(client, [block.id]) }
      })
    },
    placeBefore: (timeMs) =>
      reading(async (client) => {
        const { rows } = await client.query(
          `select coalesce(
             (select min(coalesce(place, id)) - 1 from ${SCHEMA}.record_blocks where max_time >= $1),
             (select max(coalesce(place, id)) from ${SCHEMA}.record_blocks), 0) as place`,
          [Math.floor(timeMs)],
        )
        return Number(rows[0]?.['place'])
      }),
    identity: () =>
      reading(async (client) => {
        const { rows } = await client.query(`select store from ${SCHEMA}.record_upkeep`)
        return String(rows[0]?.['store'])
      }),
    rowsWithin: (fromMs, toMs, rowsMax) =>
      reading(async (client) => {
        const count = async (blocksMax: number) => {
          const { rows } = await client.query(
            `select coalesce(sum(rows), 0)::bigint as rows, count(*)::integer as blocks from (
               select rows from ${SCHEMA}.record_blocks where max_time >= $1 and min_time <= $2 limit $3) as found`,
            [Math.floor(fromMs), Math.ceil(toMs), blocksMax],
          )
          return { rows: Number(rows[0]?.['rows']), isAll: Number(rows[0]?.['blocks']) < blocksMax }
        }
        const first = await count(COUNTED_FIRST)
        if (first.isAll || first.rows > rowsMax) return first.rows
        // A block has one row at least
        return (await count(Math.min(rowsMax + 1, Number.MAX_SAFE_INTEGER))).rows
      }),
    rollups: (read) =>
      reading(async (client) => {
        await words.load(client)
        return read(viewOf(client, words))
      }),
    close: () => turns.run(() => pool.end()),
  }
}

async function hasBlocksAfter(client: PgClient, after: number): Promise<boolean> {
  const { rowCount } = await client.query(
    `select 1 from ${SCHEMA}.record_blocks where coalesce(place, id) > $1 limit 1`,
    [after],
  )
  return rowCount !== 0
}

/** By pages: a cursor gives its rows as text only. */
async function scan(
  client: PgClient,
  range: BlockRange,
  visit: (block: RecordBlock) => boolean,
  order: 'newest' | 'oldest',
): Promise<void> {
  const [column, than, direction] =
    order === 'newest' ? (['max_time', '<', 'desc'] as const) : (['min_time', '>', 'asc'] as const)
  let after = ''
  for (let blocks = BLOCKS_FIRST; ; blocks = Math.min(BLOCKS_MAX, blocks * 2)) {
    const page = await readBlocks(
      client,
      `from ${SCHEMA}.record_blocks b where ${within(range)}${after}
         order by b.${column} ${direction}, b.id ${direction} limit ${blocks}`,
    )
    for (const block of page) if (!visit(block)) return
    const last = page.at(-1)
    if (last === undefined || page.length < blocks) return
    const time = order === 'newest' ? last.maxTimeMs : last.minTimeMs
    after = ` and (b.${column}, b.id) ${than} (${numeral(time)}, ${numeral(last.id)})`
  }
}

/** Words of rollups by their number. A word never changes, unless the tables are others. */
class Words {
  #last = 0
  readonly #texts = new Map<number, string>()

  /** Reads those that are not known yet, and whether the last one that is known is the same still. */
  async load(client: PgClient): Promise<void> {
    const since = () =>
      client.copy(
        `select id, text from ${SCHEMA}.record_rollup_words where id >= ${numeral(this.#last)} order by id`,
        [INTEGER, TEXT],
      ) as Promise<readonly (readonly [number, string])[]>
    let rows = await since()
    if (this.#last > 0 && (rows[0]?.[0] !== this.#last || rows[0][1] !== this.#texts.get(this.#last))) {
      this.#texts.clear()
      this.#last = 0
      rows = await since()
    }
    for (const [id, text] of rows) this.#texts.set(id, text)
    this.#last = rows.at(-1)?.[0] ?? this.#last
  }

  text(id: number): string {
    return this.#texts.get(id) ?? ''
  }
}

function viewOf(client: PgClient, words: Words): RollupView {
  return {
    word: (id) => words.text(id),
    async keptSince() {
      const { rows } = await client.query(`select width, since from ${SCHEMA}.record_rollup_kept`)
      return new Map(rows.map((row) => [Number(row['width']), Number(row['since'])]))
    },
    async uncarried(fromMs, toMs) {
      const { rows } = await client.query(
        `select start from ${SCHEMA}.record_uncarried where start >= $1 and start < $2`,
        [fromMs, toMs],
      )
      return rows.map((row) => Number(row['start']))
    },
    async *shards(widthMs, facet, shard, fromMs, toMs) {
      const place = shard === null ? '' : ` and shard = ${numeral(shard)}`
      let after = ''
      for (;;) {
        const rows = (await client.copy(
          `select start, shard, data from ${SCHEMA}.record_rollups
             where width = ${numeral(widthMs)} and facet = ${numeral(facet)}${place}
               and start >= ${numeral(fromMs)} and start < ${numeral(toMs)}${after}
             order by shard, start limit ${SHARDS_AT_ONCE}`,
          [BIGINT, INTEGER, BYTES],
        )) as readonly (readonly [number, number, Uint8Array])[]
        if (rows.length > 0) yield rows.map(([startMs, , data]): StartedShard => ({ startMs, data }))
        const last = rows.at(-1)
        if (last === undefined || rows.length < SHARDS_AT_ONCE) return
        after = ` and (shard, start) > (${last[1]}, ${numeral(last[0])})`
      }
    },
    async *uncounted(fromMs, toMs) {
      let after = 0
      for (;;) {
        const blocks = await readBlocks(
          client,
          `from ${SCHEMA}.record_uncounted u join ${SCHEMA}.record_blocks b on b.id = u.id
             where b.max_time >= ${numeral(fromMs)} and b.min_time <= ${numeral(toMs)} and u.id > ${numeral(after)}
             order by u.id limit ${BLOCKS_MAX}`,
        )
        yield* blocks
        const last = blocks.at(-1)
        if (last === undefined || blocks.length < BLOCKS_MAX) return
        after = last.id
      }
    },
  }
}
