/**
 * Request records in PostgreSQL, which several processes may share: all of them append, and one does the upkeep (`record-upkeep.ts`).
 * 1. An append is one statement. When its answer is lost, the next append asks whether it was stored, and leaves out what was.
 * 2. No query finds a deleted record any more. The server still has it in its files until the next vacuum, and in its write-ahead log
 *    and backups. Postern cannot change that.
 */
import type { DatabaseAddress } from '../../base/net/database-url.ts'
import type { LastingRecordStore, RecordBlock, RecordStore, StoredBlock } from '../ports/records.ts'
import { type StoreFault, StoreUnavailable } from '../ports/unavailable.ts'
import { type PgClient, SCHEMA } from './connection.ts'
import { literal, numeral } from './copy-out.ts'
import { addBlock, appendBlocks, bytesOf, lastPlace, readBlocks, within } from './record-blocks.ts'
import { RecordDatabase } from './record-database.ts'
import { createQuotaStore } from './record-quotas.ts'
import { createRollupStore, writeRollups } from './record-rollups.ts'
import { Upkeep } from './record-upkeep.ts'

/** What rollups do not count yet is kept: they would never count it. Of blocks that are called `b`. */
const COUNTED = `not exists (select 1 from ${SCHEMA}.record_uncounted u where u.id = b.id)`

/** How long the last append of a process is remembered that has ended. */
const WRITER_KEPT = '1 day'

/**
 * Opens the records of a database, and makes the tables where there are none. One that cannot be reached is tried again at each probe.
 * Throws CannotStart for tables of a newer version, a server that is too old, and a user who may not make the tables.
 * @param node whose counts of quotas these are
 */
export async function openRecordStore(address: DatabaseAddress, node = ''): Promise<LastingRecordStore> {
  const database = await RecordDatabase.open(address)
  const upkeep = new Upkeep(database)
  const reopened: (() => void)[] = []
  const appender = new Appender(database, upkeep.holder)
  return {
    append: (blocks) => appender.append(blocks),
    ...upkeepOf(database, upkeep),
    find: (range, after, blocksMax) =>
      database.use((client) =>
        readBlocks(
          client,
          `from ${SCHEMA}.record_blocks b where ${within(range)} and b.id > ${numeral(after)} order by b.id limit ${numeral(blocksMax)}`,
        ),
      ),
    // The server cleans its files by itself
    settle: async () => {},
    touch: () => database.touch(upkeep.holder),
    quotas: createQuotaStore(database, upkeep.holder, node),
    rollups: createRollupStore(database, upkeep),
    get fault() {
      return database.fault
    },
    async probe() {
      if (!(await database.probe(upkeep.holder))) return
      upkeep.forget()
      for (const listener of reopened) listener()
    },
    whenReopened(listener) {
      reopened.push(listener)
    },
    whenUpkeepChanged: (listener) => upkeep.whenChanged(listener),
    async close() {
      // Otherwise the next one waits until it has lapsed
      await upkeep.release().catch(() => {})
      await database.close()
    },
  }
}

/**
 * Adds blocks. Each append has a number, and one that has failed but may have been stored is sent again as it was, with the same number:
 * so it is stored once, and it is known which blocks are.
 */
class Appender {
  readonly #database: RecordDatabase
  readonly #writer: string
  /** Of the last append that was stored. */
  #seq = 0
  /** Of an append whose answer was lost. */
  #failed: readonly RecordBlock[] | null = null
  /** Stored ones that whoever appends was not told of. */
  #stored: readonly RecordBlock[] = []

  constructor(database: RecordDatabase, writer: string) {
    this.#database = database
    this.#writer = writer
  }

  async append(blocks: readonly RecordBlock[]): Promise<void> {
    if (this.#failed !== null) await this.#send(this.#failed)
    const left = this.#notStored(blocks)
    if (left.length > 0) await this.#send(left)
    this.#stored = []
  }

  async #send(blocks: readonly RecordBlock[]): Promise<void> {
    await this.#database.use((client) => {
      const isAgain = this.#failed !== null
      this.#failed = blocks
      // False where the attempt before has stored them
      return appendBlocks(client, this.#writer, this.#seq + 1, blocks).catch((error: unknown) => {
        // The server has answered that it stored nothing
        if (!isAgain && !isUnanswered(error)) this.#failed = null
        throw error
      })
    })
    this.#seq++
    this.#failed = null
    this.#stored = [...this.#stored, ...blocks]
  }

  #notStored(blocks: readonly RecordBlock[]): readonly RecordBlock[] {
    const stored = [...this.#stored]
    return blocks.filter((block) => {
      const at = stored.findIndex((one) => isSame(one, block))
      if (at !== -1) stored.splice(at, 1)
      return at === -1
    })
  }
}

/** Faults with which the server answers a statement that it has undone. */
const UNDONE: ReadonlySet<string> = new Set<StoreFault>(['missing', 'locked', 'read_only', 'disk_full'])

/** The connection was lost, or nobody answered in time: what was sent may have been done. */
function isUnanswered(error: unknown): boolean {
  return error instanceof StoreUnavailable && !UNDONE.has(error.fault)
}

function isSame(one: RecordBlock, other: RecordBlock): boolean {
  return (
    one.words === other.words &&
    Buffer.compare(one.numbers, other.numbers) === 0 &&
    Buffer.compare(one.text, other.text) === 0
  )
}

/** What one process does at a time. */
function upkeepOf(
  database: RecordDatabase,
  upkeep: Upkeep,
): Pick<RecordStore, 'small' | 'replace' | 'takeUpkeep' | 'erase' | 'prune' | 'shrink'> {
  return {
    async small(rowsBelow, blocksMax, environment, proved): Promise<readonly StoredBlock[]> {
      if (!(await upkeep.hold())) return []
      const named = environment === null ? 'is null' : `=${literal(environment)}`
      return database.use((client) =>
        readBlocks(
          client,
          // Few blocks are small. In the order of their ids, all others would be read before
          `from (
             select id from ${SCHEMA}.record_blocks b
               where rows < ${numeral(rowsBelow)} and environment ${named} and proved = ${proved} and ${COUNTED}
               offset 0) as few
             join ${SCHEMA}.record_blocks b on b.id = few.id order by b.id limit ${numeral(blocksMax)}`,
        ),
      )
    },
    replace: (ids, block) =>
      upkeep.transaction(async (client) => {
        const place = await lastPlace(client, ids)
        const gone = await removeBlocks(client, ids)
        if (gone !== ids.length) throw new Error('blocks that were put together are gone')
        await addBlock(client, block, place)
        await resize(client, block.proved, bytesOf(block))
      }),
    takeUpkeep: () => upkeep.take(),
    erase: (id, left, change) =>
      upkeep.transaction(async (client) => {
        const { rowCount } = await client.query(
          `select 1 from ${SCHEMA}.record_blocks where id = $1 for update`,
          [id],
        )
        if (rowCount === 0) return false
        const at = await lastPlace(client, [id])
        await removeBlocks(client, [id])
        const place = left === null ? null : await addBlock(client, left, at)
        if (change !== null) {
          if (left !== null) await resize(client, left.proved, bytesOf(left))
          await writeRollups(client, change)
        } else if (place !== null)
          await client.query(`insert into ${SCHEMA}.record_uncounted (id) values ($1)`, [place])
        await upkeep.erased(client)
        return true
      }),
    async prune(beforeMs, blocksMax) {
      if (!(await upkeep.hold())) return 0
      return upkeep.transaction(async (client) => {
        await client.query(
          `delete from ${SCHEMA}.record_writers where at < clock_timestamp() - interval '${WRITER_KEPT}'`,
        )
        const { rows } = await client.query(
          `select id, max_time from ${SCHEMA}.record_blocks b
             where max_time < $1 and ${COUNTED} order by max_time, id limit $2`,
          [Math.floor(beforeMs), blocksMax],
        )
        await retire(client, rows)
        return rows.length
      })
    },
    async shrink(bytesMax, unprovedMax, blocksMax) {
      if (!(await upkeep.hold())) return 0
      return upkeep.transaction((client) => shrink(client, { bytesMax, unprovedMax, blocksMax }))
    },
  }
}

interface Bounds {
  readonly bytesMax: number
  readonly unprovedMax: number
  readonly blocksMax: number
}

async function shrink(client: PgClient, { bytesMax, unprovedMax, blocksMax }: Bounds): Promise<number> {
  const { rows } = await client.query(
    `select
       (select bytes from ${SCHEMA}.record_sizes where proved) as proved,
       (select bytes from ${SCHEMA}.record_sizes where not proved) as unproved,
       (select coalesce(sum(bytes), 0)::bigint from ${SCHEMA}.record_rollups) as rollups,
       (select coalesce(sum(b.bytes), 0)::bigint
          from ${SCHEMA}.record_uncounted u join ${SCHEMA}.record_blocks b on b.id = u.id) as uncounted`,
  )
  const sizes = rows[0]!
  let unproved = Number(sizes['unproved'])
  // What the files hold would say nothing: the server gives their pages back late or never
  let bytes = unproved + Number(sizes['proved']) + Number(sizes['rollups']) + Number(sizes['uncounted'])
  if (bytes <= bytesMax) return 0
  const oldest = async (isProved: boolean) => {
    const found = await client.query(
      `select id, max_time, bytes from ${SCHEMA}.record_blocks b
         where proved = $1 and ${COUNTED} order by max_time, id limit $2`,
      [isProved, blocksMax],
    )
    return found.rows
  }
  const shares = { unproved: await oldest(false), proved: await oldest(true) }
  const gone: Record<string, unknown>[] = []
  // One at a time: blocks are of very different sizes
  while (gone.length < blocksMax && bytes > bytesMax) {
    const [first, second] =
      unproved > unprovedMax ? [shares.unproved, shares.proved] : [shares.proved, shares.unproved]
    const from = first.length > 0 ? first : second
    const block = from.shift()
    if (block === undefined) break
    gone.push(block)
    bytes -= Number(block['bytes'])
    if (from === shares.unproved) unproved -= Number(block['bytes'])
  }
  await retire(client, gone)
  return gone.length
}

/** Deletes counted blocks for good, and notes up to when records are missing. */
async function retire(client: PgClient, blocks: readonly Record<string, unknown>[]): Promise<void> {
  if (blocks.length === 0) return
  await removeBlocks(
    client,
    blocks.map((block) => Number(block['id'])),
  )
  await client.query(
    `insert into ${SCHEMA}.record_removed (id, until) values (1, $1)
       on conflict (id) do update set until = greatest(record_removed.until, excluded.until)`,
    [Math.max(...blocks.map((block) => Number(block['max_time'])))],
  )
}

/** Deletes blocks, and takes those that were counted out of the sizes. @returns how many were there */
async function removeBlocks(client: PgClient, ids: readonly number[]): Promise<number> {
  const { rows } = await client.query(
    `with gone as (delete from ${SCHEMA}.record_blocks where id = any ($1::bigint[]) returning id, proved, bytes),
     uncounted as (delete from ${SCHEMA}.record_uncounted where id = any ($1::bigint[]) returning id),
     less as (
       select proved, sum(bytes) as bytes from gone
         where id not in (select id from uncounted) group by proved),
     resized as (
       update ${SCHEMA}.record_sizes s set bytes = s.bytes - less.bytes from less where less.proved = s.proved)
     select count(*)::integer as count from gone`,
    [ids],
  )
  return Number(rows[0]?.['count'])
}

async function resize(client: PgClient, proved: boolean, bytes: number): Promise<void> {
  await client.query(`update ${SCHEMA}.record_sizes set bytes = bytes + $2 where proved = $1`, [
    proved,
    bytes,
  ])
}
