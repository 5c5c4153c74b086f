import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { recordFields } from '../../../test/programs/record-fields.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { onPostgres } from '../../../test/support/postgres-databases.ts'
import { TcpProxy } from '../../../test/support/tcp-proxy.ts'
import type { DatabaseAddress } from '../../base/net/database-url.ts'
import { CannotStart } from '../../base/refusal.ts'
import { createBatchWriter } from '../../record/batch.ts'
import { readBlock, toBlock } from '../../record/block.ts'
import { createIngest } from '../../record/ingest.ts'
import { measureRolled } from '../../record/rollup/answer.ts'
import { RollupKeeper } from '../../record/rollup/keeper.ts'
import type { BlockRange, LastingRecordStore, RecordReader } from '../ports/records.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'
import { openRecordReader } from './record-reader.ts'
import { openRecordStore } from './records.ts'

const NOW = Date.parse('2026-03-10T12:34:56Z')
const MINUTE = 60_000
const ALL: BlockRange = {
  fromMs: 0,
  toMs: Number.POSITIVE_INFINITY,
  words: [],
  classes: 255,
  agentsOnly: false,
}
const NOTHING = { rows: [], words: [], uncarried: [], carried: [] }

let made = 0
/** A block of rows of a client; each row has another id. */
function block(rows: number, client = 'cli_1', timeMs = NOW - 30 * MINUTE) {
  const writer = createBatchWriter(rows)
  for (let row = 0; row < rows; row++)
    writer.add(recordFields({ id: `r${made++}`, timeMs: timeMs + row, client }))
  return toBlock(writer.take())
}

const isLocked = (error: unknown): boolean => error instanceof StoreUnavailable && error.fault === 'locked'

async function countOf(store: LastingRecordStore): Promise<number> {
  const blocks = await store.find(ALL, 0, 10_000)
  return blocks.reduce((sum, { rows }) => sum + rows, 0)
}

/** As a process that has counted everything. */
async function countAll(store: LastingRecordStore): Promise<number> {
  const blocks = await store.rollups.uncounted(1000)
  await store.rollups.save(
    NOTHING,
    blocks.map(({ id }) => id),
  )
  return blocks.length
}

await onPostgres(({ server, create }) => {
  const sql = ({ database }: DatabaseAddress, text: string): string => server.sql(text, database)
  /** As if nothing had used the upkeep for so long that another process may take over. */
  const lapse = (address: DatabaseAddress): string =>
    sql(address, "update postern.record_upkeep set used = used - interval '11 seconds'")
  const sizesOf = (address: DatabaseAddress): string =>
    sql(address, 'select proved, bytes from postern.record_sizes order by proved desc').trim()
  const truthOf = (address: DatabaseAddress): string =>
    sql(
      address,
      `select p.proved, coalesce(sum(b.bytes), 0) from (values (true), (false)) as p (proved)
         left join postern.record_blocks b
           on b.proved = p.proved and b.id not in (select id from postern.record_uncounted)
         group by p.proved order by p.proved desc`,
    ).trim()

  test('two stores append to one database, and one of them does the upkeep until it ends', async () => {
    const address = await create()
    const [one, other] = [await openRecordStore(address), await openRecordStore(address)]
    const changes: string[] = []
    one.whenUpkeepChanged(() => changes.push('one'))
    other.whenUpkeepChanged(() => changes.push('other'))
    await Promise.all([one.append([block(3), block(4)]), other.append([block(5)])])
    assert.equal(await countOf(other), 12)
    assert.equal((await one.rollups.uncounted(9)).length, 3)
    assert.deepEqual(await other.rollups.uncounted(9), [])
    assert.deepEqual(await other.small(100, 9, null, true), [])
    await assert.rejects(other.rollups.save(NOTHING, []), isLocked)
    await assert.rejects(other.replace([1], block(1)), isLocked)
    assert.equal(await countAll(one), 3)
    assert.deepEqual([await other.prune(NOW, 9), await other.shrink(0, 0, 9)], [0, 0])
    await other.rollups.prune([[MINUTE, NOW]], 0)
    assert.equal((await other.small(100, 9, null, true)).length, 0)
    assert.equal((await one.small(100, 9, null, true)).length, 3)
    await other.append([block(6)])
    await one.close()
    assert.equal((await other.rollups.uncounted(9)).length, 1, 'at once, after an orderly end')
    assert.deepEqual(changes, ['one', 'other'])
    await other.close()
  })

  test('a process that was stopped changes nothing when it continues, and forgets what it has read', async () => {
    const address = await create()
    const [stopped, next] = [await openRecordStore(address), await openRecordStore(address)]
    let forgotten = 0
    await stopped.append([block(3), block(4)])
    const blocks = await stopped.rollups.uncounted(9)
    stopped.whenUpkeepChanged(() => forgotten++)
    lapse(address)
    assert.equal((await next.rollups.uncounted(9)).length, 2)
    const ids = blocks.map(({ id }) => id)
    await assert.rejects(stopped.rollups.save({ ...NOTHING, uncarried: [NOW] }, ids), isLocked)
    assert.equal(forgotten, 1)
    assert.deepEqual(await stopped.rollups.uncounted(9), [])
    assert.deepEqual(await next.rollups.uncarried(), [])
    assert.equal(await countAll(next), 2)
    lapse(address)
    assert.deepEqual(await stopped.rollups.uncounted(9), [])
    assert.equal(forgotten, 2, 'another process was the holder meanwhile')
    lapse(address)
    await stopped.rollups.uncounted(9)
    assert.equal(forgotten, 2, 'nobody has taken over')
    await stopped.close()
    await next.close()
  })

  test('a probe renews the upkeep, and one of another process does not', async () => {
    const address = await create()
    const [one, other] = [await openRecordStore(address), await openRecordStore(address)]
    await one.append([block(1)])
    assert.equal((await one.rollups.uncounted(9)).length, 1)
    lapse(address)
    await one.probe()
    assert.equal((await other.rollups.uncounted(9)).length, 0)
    lapse(address)
    await other.probe()
    assert.equal((await other.rollups.uncounted(9)).length, 1)
    assert.deepEqual([one.fault, other.fault], [null, null])
    await one.close()
    await other.close()
  })

  test('rows are erased by any process, and rollups of both processes stay right', async () => {
    const address = await create()
    const reader = await openRecordReader(address)
    const stores = [await openRecordStore(address), await openRecordStore(address)] as const
    const clock = { now: () => NOW }
    const parts = stores.map((store) => {
      const keeper = new RollupKeeper(store, clock.now)
      store.whenUpkeepChanged(() => keeper.forget())
      return { store, keeper, ingest: createIngest(store, null, undefined, keeper) }
    })
    const [one, other] = parts as [(typeof parts)[0], (typeof parts)[0]]
    const countsOf = async (client?: string): Promise<number> => {
      const selection = { from: new Date(NOW - 60 * MINUTE).toISOString(), to: new Date(NOW).toISOString() }
      const crowded: RecordReader = { ...reader, rowsWithin: async () => Number.POSITIVE_INFINITY }
      const answer = await measureRolled(crowded, clock, {
        selection: client === undefined ? selection : { ...selection, client },
        ...{ by: 'all', bucketMs: MINUTE, order: 'key', limit: 10 },
      })
      return answer?.groups[0]?.requests ?? 0
    }
    const step = async (part: (typeof parts)[0]): Promise<void> => {
      while (!(await part.keeper.step()));
    }
    for (let round = 0; round < 3; round++) {
      await one.store.append([block(3, 'cli_1'), block(4, `new_${round}`)])
      await other.store.append([block(5, 'cli_2')])
      await step(one)
      await step(other)
      const removal = await other.ingest.remove({ client: 'cli_1' }, false, () => false)
      assert.deepEqual(removal, { removed: 3, more: false })
      // The one had the words and the rollups in memory
      await one.store.append([block(2, 'cli_3'), block(1, `newer_${round}`)])
      await step(one)
      assert.equal(await countsOf('cli_1'), 0)
      lapse(address)
      await step(one)
      const left = 12 * (round + 1)
      assert.deepEqual([await countOf(one.store), await countsOf()], [left, left])
      assert.deepEqual([await countsOf('cli_2'), await countsOf('cli_3')], [5 * (round + 1), 2 * (round + 1)])
      assert.equal(sizesOf(address), truthOf(address))
    }
    const both = await Promise.all(
      parts.map(({ ingest }, at) => ingest.remove({ client: `cli_${at + 2}` }, false, () => false)),
    )
    assert.deepEqual(
      both.map(({ removed }) => removed),
      [15, 6],
      'at the same time',
    )
    await step(one)
    await step(other)
    assert.deepEqual([await countOf(one.store), await countsOf()], [15, 15])
    assert.equal(sizesOf(address), truthOf(address))
    await reader.close()
    for (const store of stores) await store.close()
  })

  test('two recorders that write at the same time store each record once, and its rollups count it once', async () => {
    const address = await create()
    const stores = [await openRecordStore(address), await openRecordStore(address)]
    const reader = await openRecordReader(address)
    const clock = { now: () => NOW }
    const ingests = stores.map((store) => {
      const keeper = new RollupKeeper(store, clock.now)
      store.whenUpkeepChanged(() => keeper.forget())
      return createIngest(store, null, undefined, keeper)
    })
    const ids = new Set<string>()
    for (let round = 0; round < 40; round++) {
      for (const [at, ingest] of ingests.entries()) {
        const writer = createBatchWriter(3)
        for (let row = 0; row < 3; row++) {
          const id = `both_${at}_${round}_${row}`
          ids.add(id)
          writer.add(recordFields({ id, timeMs: NOW - 30 * MINUTE + row, client: `cli_${at}` }))
        }
        ingest.push(writer.take(), () => {})
        ingest.count()
      }
      // The upkeep goes over to the other one in the middle of it
      if (round % 10 === 9) lapse(address)
      if (round % 3 === 0) await Promise.all(ingests.map((ingest) => ingest.settle()))
    }
    const prune = () => Promise.all(ingests.map((ingest) => ingest.prune(0)))
    await Promise.all(ingests.map((ingest) => ingest.settle()))
    await eventually(async () => {
      for (const ingest of ingests) ingest.count()
      await prune()
      return sql(address, 'select count(*) from postern.record_uncounted').trim() === '0'
    })
    const blocks = await stores[0]!.find(ALL, 0, 10_000)
    const stored = blocks.flatMap((one) => {
      const rows = readBlock(one)
      return Array.from({ length: rows.count }, (_, row) => rows.fields(row).id)
    })
    assert.deepEqual(stored.toSorted(), [...ids].toSorted())
    const crowded: RecordReader = { ...reader, rowsWithin: async () => Number.POSITIVE_INFINITY }
    const selection = { from: new Date(NOW - 60 * MINUTE).toISOString(), to: new Date(NOW).toISOString() }
    const answer = await measureRolled(crowded, clock, {
      selection,
      ...{ by: 'client', bucketMs: MINUTE, order: 'key', limit: 10 },
    })
    assert.deepEqual(
      answer?.groups.map(({ requests }) => requests),
      [120, 120],
    )
    assert.equal(sizesOf(address), truthOf(address))
    assert.deepEqual(
      ingests.map(({ state }) => [state.dropped, state.queued]),
      [
        [0, 0],
        [0, 0],
      ],
    )
    await reader.close()
    for (const store of stores) await store.close()
  })

  test('a recorder that does the upkeep gathers the small blocks of another one, also while it stores nothing itself', async () => {
    const address = await create()
    const [keeping, writing] = [await openRecordStore(address), await openRecordStore(address)]
    const ingest = createIngest(keeping)
    await ingest.prune(0)
    for (let at = 0; at < 40; at++) await writing.append([block(1)])
    await countAll(keeping)
    await ingest.prune(0)
    await eventually(
      async () => Number(sql(address, 'select count(*) from postern.record_blocks').trim()) < 10,
    )
    assert.equal(await countOf(keeping), 40)
    await keeping.close()
    await writing.close()
  })

  test('rows that were put into another block meanwhile are erased there', async () => {
    const address = await create()
    const [eraser, holder] = [await openRecordStore(address), await openRecordStore(address)]
    await holder.append([block(3), block(4)])
    await countAll(holder)
    const keeper = new RollupKeeper(eraser, () => NOW)
    eraser.whenUpkeepChanged(() => keeper.forget())
    const moving: LastingRecordStore = {
      ...eraser,
      async find(...asked) {
        const found = await eraser.find(...asked)
        const [first, second] = await holder.small(100, 2, null, true)
        if (second !== undefined) await holder.replace([first!.id, second.id], block(7))
        return found
      },
    }
    const removal = await createIngest(moving, null, undefined, keeper).remove(
      { client: 'cli_1' },
      false,
      () => false,
    )
    assert.deepEqual([removal, await countOf(holder)], [{ removed: 7, more: false }, 0])
    await eraser.close()
    await holder.close()
  })

  test('the sizes of both shares stay those of the blocks, whatever is done', async () => {
    const address = await create()
    const store = await openRecordStore(address)
    const unproved = (rows: number) => ({ ...block(rows), proved: false })
    await store.append([block(3), unproved(4), block(5), unproved(6), block(7)])
    assert.equal(sizesOf(address), 't|0\nf|0')
    await countAll(store)
    assert.equal(sizesOf(address), truthOf(address))
    const small = await store.small(100, 2, null, true)
    await store.replace(
      small.map(({ id }) => id),
      block(8),
    )
    assert.equal(sizesOf(address), truthOf(address))
    await store.append([block(9)])
    const blocks = await store.find(ALL, 0, 100)
    const idOf = (rows: number): number => blocks.find((one) => one.rows === rows)!.id
    await store.takeUpkeep()
    await store.erase(idOf(7), block(2), NOTHING)
    await store.erase(idOf(9), block(2), null)
    await store.erase(idOf(6), null, NOTHING)
    assert.equal(sizesOf(address), truthOf(address))
    assert.equal(await store.shrink(1, 0, 1), 1)
    assert.equal(sizesOf(address), truthOf(address))
    assert.equal(await store.prune(NOW, 1), 1)
    assert.equal(sizesOf(address), truthOf(address))
    sql(address, 'update postern.record_sizes set bytes = 12345')
    lapse(address)
    const next = await openRecordStore(address)
    await next.rollups.uncounted(1)
    assert.equal(sizesOf(address), truthOf(address), 'a new holder measures them')
    await next.close()
    await store.close()
  })

  test('a backend that is killed in the middle of an append leaves nothing, and the store goes on', async () => {
    const address = await create()
    const store = await openRecordStore(address)
    await store.append([block(1)])
    const blocks = [block(2), block(3)]
    // The append waits for this lock
    const holding = await openLock(address, 'postern.record_uncounted')
    const appending = store.append(blocks)
    appending.catch(() => {})
    const waiting =
      "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    await eventually(() => sql(address, waiting).trim() !== '')
    sql(address, `select pg_terminate_backend(pid) from (${waiting}) as found`)
    await assert.rejects(appending, (error) => error instanceof StoreUnavailable)
    await holding.release()
    await store.probe()
    assert.equal(store.fault, null)
    assert.equal(await countOf(store), 1)
    await store.append(blocks)
    assert.equal(await countOf(store), 6)
    await store.close()
  })

  test('an append whose answer is lost is stored once', async () => {
    const address = await create()
    await using proxy = await TcpProxy.make(address.port)
    await proxy.open()
    const store = await openRecordStore({ ...address, port: proxy.port })
    const other = await openRecordStore(address)
    await store.append([block(1)])
    const blocks = [block(2), block(3)]
    proxy.dropAnswers()
    const appending = store.append(blocks)
    appending.catch(() => {})
    await eventually(async () => (await countOf(other)) === 6)
    await proxy.cut()
    await assert.rejects(appending, (error) => error instanceof StoreUnavailable)
    await assert.rejects(store.append(blocks), (error) => error instanceof StoreUnavailable)
    // It may be counted and put into another block before the connection is there again
    await countAll(other)
    const small = await other.small(100, 9, null, true)
    await other.replace(
      small.map(({ id }) => id),
      block(6),
    )
    await proxy.open()
    await store.probe()
    await store.append([blocks[0]!, block(10), blocks[1]!])
    assert.equal(await countOf(other), 16)
    await store.append([block(20)])
    assert.equal(await countOf(other), 36)
    await store.close()
    await other.close()
  })

  test('an append whose answer was lost is known to be stored, also when the one after it fails', async () => {
    const address = await create()
    await using proxy = await TcpProxy.make(address.port)
    await proxy.open()
    const store = await openRecordStore({ ...address, port: proxy.port })
    const [x, y] = [block(1), block(1)]
    proxy.dropAnswers()
    const lost = assert.rejects(store.append([x]), StoreUnavailable)
    await eventually(() => sql(address, 'select count(*) from postern.record_blocks').trim() === '1')
    await proxy.cut()
    await lost
    await proxy.open()
    await store.probe()
    // Now the next one fails at the server
    sql(address, 'alter table postern.record_uncounted rename to gone')
    await assert.rejects(store.append([x, y]))
    sql(address, 'alter table postern.gone rename to record_uncounted')
    await store.probe()
    await store.append([x, y])
    const ids = (await store.find(ALL, 0, 10)).map((one) => readBlock(one).id(0))
    assert.deepEqual(
      ids,
      [x, y].map((one) => readBlock(one).id(0)),
    )
    await store.close()
  })

  test('batches that come while the connection is lost again and again are stored once each', async () => {
    const address = await create()
    await using proxy = await TcpProxy.make(address.port)
    await proxy.open()
    const store = await openRecordStore({ ...address, port: proxy.port })
    const ingest = createIngest(store, null, undefined, new RollupKeeper(store, () => NOW))
    const names: string[] = []
    let taken = 0
    const push = (): void => {
      const writer = createBatchWriter(3)
      for (let row = 0; row < 3; row++) {
        const id = `b${names.length}`
        names.push(id)
        writer.add(recordFields({ id, timeMs: NOW }))
      }
      ingest.push(writer.take(), () => taken++)
    }
    for (let round = 0; round < 6; round++) {
      for (let count = 0; count < 5; count++) push()
      // In the middle of an append, before it, or after it
      await setTimeout(round * 2)
      if (round % 2 === 0) proxy.dropAnswers()
      push()
      await setTimeout(20)
      await proxy.cut()
      push()
      await store.probe()
      assert.equal(store.fault?.fault, 'unreachable')
      await proxy.open()
      await store.probe()
    }
    await eventually(() => taken * 3 === names.length)
    const stored: string[] = []
    for (const one of await store.find(ALL, 0, 1000)) {
      const rows = readBlock(one)
      for (let row = 0; row < rows.count; row++) stored.push(rows.id(row))
    }
    assert.deepEqual(stored.toSorted(), names.toSorted())
    assert.equal(ingest.state.dropped, 0)
    await store.close()
  })

  test('a server that is down at the start is taken up by a probe, without a restart', async () => {
    const address = await create()
    await using proxy = await TcpProxy.make(address.port)
    const through = { ...address, port: proxy.port }
    const store = await openRecordStore(through)
    const reader = await openRecordReader(through)
    assert.equal(store.fault?.fault, 'unreachable')
    await assert.rejects(store.append([block(1)]), (error) => error instanceof StoreUnavailable)
    await assert.rejects(reader.removedUntil(), (error) => error instanceof StoreUnavailable)
    await store.probe()
    assert.equal(store.fault?.fault, 'unreachable')
    let reopened = 0
    store.whenReopened(() => reopened++)
    await proxy.open()
    await store.probe()
    assert.deepEqual([store.fault, reopened], [null, 0])
    await store.append([block(2)])
    assert.equal(await reader.rowsWithin(0, NOW, 100), 2)
    // While nobody uses them
    await proxy.cut()
    await proxy.open()
    await setTimeout(20)
    assert.equal(await reader.rowsWithin(0, NOW, 100), 2)
    await store.append([block(3)])
    assert.equal(await countOf(store), 5)
    await reader.close()
    await store.close()
  })

  test('tables that are gone are made again, and what was known of the others is forgotten', async () => {
    const address = await create()
    const store = await openRecordStore(address)
    const reader = await openRecordReader(address)
    let reopened = 0
    let changed = 0
    store.whenReopened(() => reopened++)
    await store.probe()
    await store.append([block(1)])
    await countAll(store)
    await store.rollups.save({ ...NOTHING, words: [[1, 'old']] }, [])
    assert.equal(await reader.rollups(async (view) => view.word(1)), 'old')
    store.whenUpkeepChanged(() => changed++)
    sql(address, 'drop schema postern cascade')
    await assert.rejects(store.append([block(1)]), (error) => error instanceof StoreUnavailable)
    assert.equal(store.fault?.fault, 'missing')
    await store.probe()
    assert.deepEqual([store.fault, reopened, changed], [null, 1, 1])
    await store.append([block(2)])
    assert.equal(await countOf(store), 2)
    await countAll(store)
    await store.rollups.save({ ...NOTHING, words: [[1, 'new']] }, [])
    assert.equal(await reader.rollups(async (view) => view.word(1)), 'new')
    await reader.close()
    await store.close()
  })

  test('tables of a newer version are not opened', async () => {
    const address = await create()
    await (await openRecordStore(address)).close()
    sql(
      address,
      "insert into postern.schema_versions (kind, version, name, applied_at, compatible_from) values ('records', 999, 'newer', '', 999)",
    )
    await assert.rejects(
      openRecordStore(address),
      (error) => error instanceof CannotStart && error.message.includes('schema version 999'),
    )
  })

  test('bytes of blocks are compressed where the server can do it fast', async () => {
    const address = await create()
    await (await openRecordStore(address)).close()
    const compression = sql(
      address,
      "select distinct attcompression from pg_attribute where attrelid = 'postern.record_blocks'::regclass and attname in ('words', 'numbers', 'text')",
    ).trim()
    assert.equal(compression, 'l')
  })

  /** Locks a table until it is released. */
  async function openLock(address: DatabaseAddress, table: string): Promise<{ release(): Promise<void> }> {
    const { openPool } = await import('./connection.ts')
    const pool = await openPool(address, 1, () => {})
    const client = await pool.connect()
    await client.query('begin')
    await client.query(`lock table ${table} in access exclusive mode`)
    return {
      async release() {
        await client.query('rollback')
        client.release()
        await pool.end()
      },
    }
  }
})
