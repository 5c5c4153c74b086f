/** Blocks of request records in the tables of PostgreSQL. */
import type { BlockRange, RecordBlock, StoredBlock } from '../ports/records.ts'
import { type PgClient, SCHEMA } from './connection.ts'
import { BIGINT, BOOLEAN, BYTES, INTEGER, literal, numeral, TEXT } from './copy-out.ts'
import { LOCKS } from './migrate.ts'

const READ =
  'b.id, b.rows, b.proved, b.min_time, b.max_time, b.classes, b.agents, b.environment, b.words, b.numbers, b.text'
const COLUMNS = [
  ...[BIGINT, INTEGER, BOOLEAN, BIGINT, BIGINT, INTEGER, INTEGER],
  ...[TEXT, TEXT, BYTES, BYTES],
]

/** @param rest of the statement, in which the blocks are called `b` */
export async function readBlocks(client: PgClient, rest: string): Promise<StoredBlock[]> {
  const rows = await client.copy(`select ${READ} ${rest}`, COLUMNS)
  return rows.map((row) => {
    const [id, count, proved, minTimeMs, maxTimeMs, classes, agents, environment, ...contents] = row as [
      ...[id: number, count: number, proved: boolean, minTimeMs: number, maxTimeMs: number],
      ...[classes: number, agents: number, environment: string | null],
      ...[words: string, numbers: Uint8Array, text: Uint8Array],
    ]
    const [words, numbers, text] = contents
    const head = { id, rows: count, proved, minTimeMs, maxTimeMs, classes, agents, environment }
    return { ...head, words, numbers, text }
  })
}

/** The condition of a range on blocks that are called `b`. */
export function within({ fromMs, toMs, words, classes, agentsOnly }: BlockRange): string {
  const conditions = [
    `b.max_time >= ${numeral(fromMs)}`,
    `b.min_time <= ${numeral(toMs)}`,
    `(b.classes & ${numeral(classes)}) <> 0`,
    // As JSON writes them, quotes included: it may find too much (then the rows decide), never too little
    ...words.map((word) => `strpos(b.words, ${literal(JSON.stringify(word))}) > 0`),
  ]
  if (agentsOnly) conditions.push('b.agents > 0')
  return conditions.join(' and ')
}

const TYPES = [
  ...['bigint', 'bigint', 'integer', 'integer', 'integer', 'text', 'boolean', 'bigint'],
  ...['text', 'bytea', 'bytea'],
]
const WRITTEN = 'min_time, max_time, rows, classes, agents, environment, proved, bytes, words, numbers, text'

/** Bytes that a block counts for. They take less on the disk, where they are compressed. */
export function bytesOf({ words, numbers, text }: RecordBlock): number {
  return Buffer.byteLength(words) + numbers.byteLength + text.byteLength
}

function valuesOf(block: RecordBlock): unknown[] {
  const { minTimeMs, maxTimeMs, rows, classes, agents, environment, proved, words, numbers, text } = block
  const head = [minTimeMs, maxTimeMs, rows, classes, agents, environment, proved, bytesOf(block)]
  return [...head, words, numbers, text]
}

/** The rows of blocks as a table of values that begin with their place. @param first the number of the first parameter */
function tableOf(blocks: readonly RecordBlock[], first: number): { text: string; values: unknown[] } {
  let parameter = first
  const rows = blocks.map((_, at) => `(${at}, ${TYPES.map((type) => `$${parameter++}::${type}`).join(', ')})`)
  return { text: `(values ${rows.join(', ')}) as v (place, ${WRITTEN})`, values: blocks.flatMap(valuesOf) }
}

/**
 * Adds blocks that rollups do not count yet, in one statement, unless the append of that number was stored before. False where it was.
 * @param writer names the process
 */
export async function appendBlocks(
  client: PgClient,
  writer: string,
  seq: number,
  blocks: readonly RecordBlock[],
): Promise<boolean> {
  const { text, values } = tableOf(blocks, 3)
  const { rowCount } = await client.query(
    // Readers in the order of the ids wait for this lock: see `lastCommitted`. It is taken before the ids
    `with turn as materialized (select pg_advisory_xact_lock_shared(${LOCKS.blocks}, 0)),
     mark as (
       insert into ${SCHEMA}.record_writers (writer, seq, at)
         select $1::text, $2::bigint, clock_timestamp() from turn
         on conflict (writer) do update set seq = excluded.seq, at = excluded.at
         where record_writers.seq < excluded.seq
         returning 1),
     added as (
       insert into ${SCHEMA}.record_blocks (id, ${WRITTEN})
         select nextval('${SCHEMA}.record_block_ids'), ${WRITTEN}
           from (select v.* from ${text}, mark order by place) as ordered
         returning id)
     insert into ${SCHEMA}.record_uncounted (id) select id from added`,
    [writer, seq, ...values],
  )
  return rowCount !== 0
}

/** Adds a block in a transaction, at the place of one or more others. @returns its id */
export async function addBlock(client: PgClient, block: RecordBlock, place: number): Promise<number> {
  const parameters = TYPES.map((_, at) => `$${at + 1}`).join(', ')
  const { rows } = await client.query(
    `insert into ${SCHEMA}.record_blocks (id, ${WRITTEN}, place)
       values (nextval('${SCHEMA}.record_block_ids'), ${parameters}, ${numeral(place)}) returning id`,
    valuesOf(block),
  )
  return Number(rows[0]?.['id'])
}

/** The place of the last of several blocks that are there. */
export async function lastPlace(client: PgClient, ids: readonly number[]): Promise<number> {
  const { rows } = await client.query(
    `select max(coalesce(place, id)) as place from ${SCHEMA}.record_blocks where id = any ($1::bigint[])`,
    [ids],
  )
  return Number(rows[0]?.['place'] ?? 0)
}

/**
 * An id up to which no block can appear any more, by statements of a transaction that reads what is committed. Ids are given out before their
 * blocks are committed, and several processes append at a time: this waits for the appends under way, which take milliseconds at the server.
 */
export async function lastCommitted(client: PgClient): Promise<number> {
  await client.query(`select pg_advisory_xact_lock(${LOCKS.blocks}, 0)`)
  const { rows } = await client.query(`select last_value from ${SCHEMA}.record_block_ids`)
  return Number(rows[0]?.['last_value'] ?? 0)
}
