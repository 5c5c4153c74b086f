import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { createClock, createClockCell, moveClock } from '../../base/clock.ts'
import { newId } from '../../base/ids.ts'
import { refuse } from '../../base/refusal.ts'
import { openExportFiles } from '../../record/export-files.ts'
import { openConfigStore } from '../../store/sqlite/config.ts'
import type { ExportJobs, RecordQueries } from '../engine/ports.ts'
import { createExportJobs, type ExportJobsDeps } from './jobs.ts'

const HOUR_MS = 3_600_000

let directory: string
let cell: ReturnType<typeof createClockCell>
let open: { stop(): Promise<void> }[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'postern-exports-'))
  cell = createClockCell()
  open = []
})
afterEach(async () => {
  for (const one of open) await one.stop()
  rmSync(directory, { recursive: true, force: true })
})

type Page = Awaited<ReturnType<RecordQueries['list']>>

/** Records that only have what an export asks of them. */
function pageOf(ids: readonly string[], next: string | null): Page {
  const none = {
    collection: null,
    proxy: null,
    virtual_mcp: null,
    origin: null,
    client: null,
    profile: null,
    user: null,
  }
  return { items: ids.map((id) => ({ id, ...none })) as unknown as Page['items'], next_cursor: next }
}

function start(list: RecordQueries['list'], own: Partial<ExportJobsDeps> = {}): ExportJobs {
  const store = openConfigStore(join(directory, `config-${open.length}.db`))
  const fault = (error: unknown): void => {
    throw error
  }
  const files = openExportFiles(join(directory, 'exports'), fault)
  const clock = createClock(cell)
  const jobs = createExportJobs({ store: files, clock, fault, records: { list }, reader: store.read, ...own })
  open.push({ stop: () => jobs.stop().then(() => store.close()) })
  return jobs
}

function order(jobs: ExportJobs, owner = 'tok_1') {
  const id = newId('exp', createClock(cell))
  return jobs.add(
    jobs.begin({
      id,
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

async function done(jobs: ExportJobs, id: string) {
  const end = Date.now() + 10_000
  while (Date.now() < end) {
    const one = (await jobs.find(id))!
    if (one.state !== 'queued' && one.state !== 'running') return one
    await setImmediate()
  }
  assert.fail(`the export is still ${(await jobs.find(id))?.state}`)
}

async function textOf(jobs: ExportJobs, id: string): Promise<string> {
  return new Response((await jobs.read(id))!.stream).text()
}

const three: RecordQueries['list'] = async ({ cursor }) =>
  cursor === null ? pageOf(['a', 'b'], 'more') : pageOf(['c'], null)

test('an export holds all pages, in a file that only its user may read', async () => {
  const jobs = start(three)
  const { id } = await order(jobs)
  const one = await done(jobs, id)
  assert.deepEqual([one.state, one.rows, one.truncated, one.error], ['ready', 3, false, null])
  const lines = (await textOf(jobs, id)).trimEnd().split('\n')
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).id),
    ['a', 'b', 'c'],
  )
  const exports = join(directory, 'exports')
  assert.equal(statSync(exports).mode & 0o777, 0o700)
  for (const name of readdirSync(exports)) assert.equal(statSync(join(exports, name)).mode & 0o777, 0o600)
  assert.equal(one.bytes, statSync(join(exports, `${id}.data`)).size)
})

test('what is more than a file may hold, in rows or bytes, is left out and told', async () => {
  for (const [bound, rows] of [
    [{ rowsMax: 2 }, 2],
    [{ rowsMax: 3 }, 3],
    [{ bytesMax: 600 }, 2],
  ] as const) {
    const jobs = start(three, bound)
    const one = await done(jobs, (await order(jobs)).id)
    assert.deepEqual([one.rows, one.truncated], [rows, rows < 3])
    assert.equal((await textOf(jobs, one.id)).trimEnd().split('\n').length, rows)
  }
})

test('a file is kept for 24 hours and told of for 7 days', async () => {
  const jobs = start(three)
  const { id } = await order(jobs)
  await done(jobs, id)
  moveClock(cell, 24 * HOUR_MS - 60_000)
  await jobs.sweep()
  assert.ok(await jobs.read(id))
  moveClock(cell, 60_000)
  assert.equal(await jobs.read(id), undefined, 'also before it is deleted')
  assert.equal((await jobs.find(id))?.state, 'expired')
  await jobs.sweep()
  assert.deepEqual(readdirSync(join(directory, 'exports')), [`${id}.json`])
  moveClock(cell, 6 * 24 * HOUR_MS)
  await jobs.sweep()
  assert.deepEqual([await jobs.find(id), readdirSync(join(directory, 'exports'))], [undefined, []])
})

test('after a restart what was ready is there, what ran has failed, and what belongs to nothing is deleted', async () => {
  const jobs = start(three)
  const ready = await done(jobs, (await order(jobs)).id)
  const exports = join(directory, 'exports')
  const ran = { ...ready, id: 'exp_ran', state: 'running', finished_at: null, expires_at: null }
  writeFileSync(join(exports, 'exp_ran.json'), JSON.stringify(ran))
  writeFileSync(join(exports, 'exp_ran.data'), 'half')
  writeFileSync(join(exports, 'exp_torn.json'), '{"id":')
  writeFileSync(join(exports, 'exp_alone.data'), 'nobody')
  const again = start(three)
  assert.equal(await textOf(again, ready.id), readFileSync(join(exports, `${ready.id}.data`), 'utf8'))
  const failed = (await again.find('exp_ran'))!
  assert.deepEqual(
    [failed.state, failed.error],
    ['failed', 'Postern stopped before the export was finished. Create the export again.'],
  )
  assert.deepEqual(
    readdirSync(exports).sort(),
    [`${ready.id}.data`, `${ready.id}.json`, 'exp_ran.json'].sort(),
  )
})

test('one runs at a time, three wait at most for one principal, and a stop ends them with a sentence', async () => {
  const { promise, resolve } = Promise.withResolvers<Page>()
  const jobs = start(() => promise)
  const ids = [await order(jobs), await order(jobs), await order(jobs)].map(({ id }) => id)
  assert.match((await jobs.faultOf('tok_1')) ?? '', /^3 of your exports/)
  assert.equal(await jobs.faultOf('tok_2'), null)
  const fourth = await order(jobs)
  assert.deepEqual([fourth.state, fourth.error], ['failed', await jobs.faultOf('tok_1')])
  assert.deepEqual(
    (await Promise.all(ids.map((id) => jobs.find(id)))).map((one) => one?.state),
    ['running', 'queued', 'queued'],
  )
  const stopped = jobs.stop()
  resolve(pageOf(['a'], null))
  await stopped
  for (const id of ids)
    assert.equal(
      (await jobs.find(id))?.error,
      'Postern stopped before the export was finished. Create the export again.',
    )
  assert.ok(readdirSync(join(directory, 'exports')).every((name) => name.endsWith('.json')))
})

test('one that is cancelled while it runs ends, and leaves no file', async () => {
  const { promise, resolve } = Promise.withResolvers<Page>()
  const jobs = start(() => promise)
  const { id } = await order(jobs)
  const next = await order(jobs)
  assert.equal((await jobs.cancel(id, 'ann'))?.error, 'It was cancelled by ann.')
  resolve(pageOf(['a'], null))
  assert.equal((await done(jobs, next.id)).state, 'ready')
  assert.equal((await jobs.find(id))?.state, 'failed')
  assert.equal(existsSync(join(directory, 'exports', `${id}.data`)), false)
  assert.equal((await jobs.cancel(next.id, 'ann'))?.state, 'expired')
  assert.equal(await jobs.read(next.id), undefined)
})

test('an export that the store refuses says why, and the next one runs', async () => {
  let asked = 0
  const jobs = start(async (filter) => {
    if (asked++ === 0) throw refuse('records_unavailable', { detail: 'The thread has ended.' })
    return three(filter)
  })
  const [first, second] = [await order(jobs), await order(jobs)]
  const failed = await done(jobs, first.id)
  assert.deepEqual([failed.state, failed.error], ['failed', 'The thread has ended.'])
  assert.equal((await done(jobs, second.id)).state, 'ready')
})
