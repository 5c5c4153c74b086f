/** Exports of two processes on one PostgreSQL. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { eventually } from '../../../../test/support/eventually.ts'
import { onPostgres, tamperWithDatabase } from '../../../../test/support/postgres-databases.ts'
import { TcpProxy } from '../../../../test/support/tcp-proxy.ts'
import { createClock } from '../../../base/clock.ts'
import { newId } from '../../../base/ids.ts'
import type { DatabaseAddress } from '../../../base/net/database-url.ts'
import type { ExportJobs, RecordQueries } from '../../../operations/engine/ports.ts'
import { createExportJobs } from '../../../operations/exports/jobs.ts'
import { openConfigStore } from '../../sqlite/config.ts'
import { openSharedDatabase } from './database.ts'
import { createExportRows } from './exports.ts'
import { createNodeTable } from './nodes.ts'

type Page = Awaited<ReturnType<RecordQueries['list']>>
const clock = createClock()
const STOPPED = 'Postern stopped before the export was finished. Create the export again.'

/** Records that only have what an export asks of them, each of some length. */
function pageOf(ids: readonly string[], next: string | null, length = 1): Page {
  const none = {
    collection: null,
    proxy: null,
    virtual_mcp: null,
    origin: null,
    client: null,
    profile: null,
    user: null,
  }
  const text = 'ä'.repeat(length)
  return { items: ids.map((id) => ({ id, text, ...none })) as unknown as Page['items'], next_cursor: next }
}

const three: RecordQueries['list'] = async ({ cursor }) =>
  cursor === null ? pageOf(['a', 'b'], 'more') : pageOf(['c'], null)

/** A page that comes when it is let through. */
function held() {
  const { promise, resolve } = Promise.withResolvers<void>()
  let asked = 0
  const list: RecordQueries['list'] = async (filter) => {
    asked++
    await promise
    return three(filter)
  }
  return { list, pass: resolve, asked: () => asked }
}

await onPostgres(({ create }) => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-exports-'))
  const store = openConfigStore(join(directory, 'config.db'))
  after(async () => {
    await store.close()
    rmSync(directory, { recursive: true, force: true })
  })

  async function start(address: DatabaseAddress, name: string, list: RecordQueries['list'] = three) {
    const database = await openSharedDatabase(address)
    database.begin()
    const facts = { version: '1', recordsWaiting: 0, skewMs: null, staleMaxMs: null }
    const heartbeat = { facts, held: { revision: 0, ended: 0 }, counted: [], isNews: false }
    const epoch = (await createNodeTable(database, address).join(name, name, name, heartbeat))!
    const faults: unknown[] = []
    const jobs = createExportJobs({
      store: createExportRows(database, () => ({ id: name, epoch })),
      clock,
      records: { list },
      reader: store.read,
      fault: (error) => faults.push(error),
    })
    return {
      jobs,
      faults,
      async [Symbol.asyncDispose]() {
        await jobs.stop()
        await database.close()
      },
    }
  }

  function order(jobs: ExportJobs, owner = 'tok_1') {
    return jobs.add(
      jobs.begin({
        id: newId('exp', clock),
        of: 'records',
        format: 'ndjson',
        filters: {},
        filter: {},
        collections: null,
        created_by: owner,
        owner,
      }),
    )
  }

  const stateOf = async (jobs: ExportJobs, id: string) => (await jobs.find(id))?.state

  const textOf = async (jobs: ExportJobs, id: string): Promise<string> =>
    new Response((await jobs.read(id))!.stream).text()

  test('an export that one node writes is listed, downloaded in pieces and deleted by another one', async () => {
    const address = await create()
    const list: RecordQueries['list'] = async ({ cursor }) =>
      cursor === null ? pageOf(['a', 'b'], 'more', 300_000) : pageOf(['c'], null, 300_000)
    await using one = await start(address, 'one', list)
    await using other = await start(address, 'other')
    const { id } = await order(one.jobs)
    await eventually(async () => (await stateOf(other.jobs, id)) === 'ready')
    assert.deepEqual(
      (await other.jobs.all()).map((it) => it.id),
      [id],
    )
    const file = (await other.jobs.read(id))!
    const pieces: Uint8Array[] = []
    for await (const piece of file.stream) pieces.push(piece)
    const text = Buffer.concat(pieces).toString()
    assert.ok(pieces.length > 6 && Math.max(...pieces.map(({ length }) => length)) <= 256 * 1024)
    assert.deepEqual(
      text
        .trimEnd()
        .split('\n')
        .map((line) => [JSON.parse(line).id, JSON.parse(line).text.length]),
      ['a', 'b', 'c'].map((its) => [its, 300_000]),
    )
    assert.deepEqual([file.bytes, (await other.jobs.find(id))?.bytes], [Buffer.byteLength(text), file.bytes])
    assert.equal((await other.jobs.cancel(id, 'ann'))?.state, 'expired')
    assert.deepEqual([await one.jobs.read(id), await stateOf(one.jobs, id)], [undefined, 'expired'])
    await using tamper = await tamperWithDatabase(address)
    assert.deepEqual(await tamper.rows('select 1 from shared_export_pieces'), [])
  })

  test('an export that another node cancels while it is written ends, and leaves no bytes', async () => {
    const address = await create()
    const gate = held()
    await using one = await start(address, 'one', gate.list)
    await using other = await start(address, 'other')
    const { id } = await order(one.jobs)
    const next = await order(one.jobs)
    await eventually(() => gate.asked() === 1)
    assert.equal((await other.jobs.cancel(id, 'ann'))?.error, 'It was cancelled by ann.')
    gate.pass()
    await eventually(async () => (await stateOf(other.jobs, next.id)) === 'ready')
    assert.equal(await stateOf(one.jobs, id), 'failed')
    await using tamper = await tamperWithDatabase(address)
    const left = await tamper.rows('select distinct export from shared_export_pieces')
    assert.deepEqual(left, [{ export: next.id }])
    assert.deepEqual(one.faults, [])
  })

  test('bounds hold over all nodes, also for exports that are created at the same time', async () => {
    const address = await create()
    const gate = held()
    await using one = await start(address, 'one', gate.list)
    await using other = await start(address, 'other', gate.list)
    const made = await Promise.all(
      Array.from({ length: 8 }, (_, n) => order((n % 2 === 0 ? one : other).jobs)),
    )
    assert.equal(made.filter(({ state }) => state === 'queued').length, 3)
    assert.match((await other.jobs.faultOf('tok_1')) ?? '', /^3 of your exports/)
    assert.equal(await other.jobs.faultOf('tok_2'), null)
    gate.pass()
  })

  test('an export whose node has ended has failed with a sentence, and counts no more; a later sweep deletes its bytes', async () => {
    const address = await create()
    const gate = held()
    await using one = await start(address, 'one', gate.list)
    await using other = await start(address, 'other')
    const { id } = await order(one.jobs)
    await eventually(() => gate.asked() === 1)
    await using tamper = await tamperWithDatabase(address)
    await tamper.execute(
      `insert into shared_export_pieces (export, number, bytes) values ('${id}', 0, 'half')`,
    )
    assert.equal(await stateOf(other.jobs, id), 'running')
    await tamper.execute("update shared_nodes set epoch = epoch + 1 where id = 'one'")
    const lost = (await other.jobs.find(id))!
    assert.deepEqual([lost.state, lost.error], ['failed', STOPPED])
    assert.equal(await other.jobs.read(id), undefined)
    await other.jobs.sweep()
    assert.deepEqual(await tamper.rows('select 1 from shared_export_pieces'), [])
    gate.pass()
    await one.jobs.stop()
    assert.deepEqual(
      [await stateOf(other.jobs, id), await tamper.rows('select 1 from shared_export_pieces')],
      ['failed', []],
    )
  })

  test('an export during which the database is lost, and one that waits behind it, end with a sentence when the process stops', async () => {
    const address = await create()
    await using proxy = await TcpProxy.make(address.port)
    await proxy.open()
    const gate = held()
    await using one = await start({ ...address, port: proxy.port }, 'one', gate.list)
    await using other = await start(address, 'other')
    const { id } = await order(one.jobs)
    const queued = await order(one.jobs)
    await eventually(() => gate.asked() === 1)
    await proxy.cut()
    gate.pass()
    await eventually(() => one.faults.length > 0)
    assert.equal(await stateOf(other.jobs, id), 'running')
    await proxy.open()
    await one.jobs.stop()
    for (const one of [id, queued.id]) assert.equal((await other.jobs.find(one))?.error, STOPPED)
    assert.equal(
      await textOf(other.jobs, (await readyExport(other.jobs)).id).then((text) => text !== ''),
      true,
    )
  })

  async function readyExport(jobs: ExportJobs) {
    const made = await order(jobs, 'tok_2')
    await eventually(async () => (await stateOf(jobs, made.id)) === 'ready')
    return made
  }
})
