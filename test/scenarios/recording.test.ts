import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, type TestContext, test } from 'node:test'
import { type MessagePort, Worker } from 'node:worker_threads'
import { createClockCell, moveClock } from '../../src/base/clock.ts'
import { createCounterMemory } from '../../src/gateway/admit/counter-memory.ts'
import { createCounters } from '../../src/gateway/admit/counters.ts'
import type { RecorderSetup } from '../../src/record/messages.ts'
import { createRecordQueries } from '../../src/record/query-client.ts'
import { connectRecordQueue, createRecordQueue } from '../../src/record/record-queue.ts'
import { startRecorder } from '../../src/record/recorder-client.ts'
import { limitKeyOf } from '../../src/snapshot/find/limit-key.ts'
import { planLimit, toPlan } from '../../src/snapshot/find/limit-plan.ts'
import { linkPolicy } from '../../src/snapshot/link/small-kinds.ts'
import { createWorkers } from '../../src/threads/worker.ts'
import { recordFields } from '../programs/record-fields.ts'
import { eventually } from '../support/eventually.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-recording-'))
after(() => rmSync(directory, { recursive: true }))

const workers = createWorkers()
const YEARS_MS = 1e13
const DAY_MS = 86_400_000

/** A recorder and a query thread on one new file. `threads` are the recorder threads that were started. */
async function open(t: TestContext, name: string, setup: Partial<RecorderSetup> = {}) {
  const path = join(directory, `${name}.db`)
  const workerData: RecorderSetup = {
    database: null,
    path,
    readOnly: null,
    retentionMs: YEARS_MS,
    bytesMax: Number.POSITIVE_INFINITY,
    clockCell: null,
    counters: null,
    nodes: null,
    environment: null,
    ...setup,
  }
  const threads: Worker[] = []
  const logged: string[] = []
  const recorder = await startRecorder(
    () => {
      const thread = workers.start('recorder', workerData)
      threads.push(thread)
      return thread
    },
    (text) => logged.push(text),
  )
  const queries = createRecordQueries(() => workers.start('query', { path, database: null, clockCell: null }))
  const close = async (): Promise<void> => {
    await recorder.stop()
    await queries.close()
  }
  t.after(close)
  return { path, recorder, queries, threads, logged, close }
}

interface Report {
  readonly added: number
  readonly dropped: number
}

/** A thread that adds `rows` records, joined to the recorder. */
function giver(t: TestContext, name: string, rows: number, batchesMax: number) {
  const worker = new Worker(new URL('../programs/record-giver.ts', import.meta.url), {
    workerData: { name, rows, batchesMax },
  })
  t.after(() => worker.terminate())
  return {
    attach: (port: MessagePort) => worker.postMessage({ port }, [port]),
    async ask(what: 'start' | 'flush'): Promise<Report> {
      const answer = once(worker, 'message')
      worker.postMessage({ [what]: true })
      const [report] = await answer
      return report
    },
    end: () => worker.terminate(),
  }
}

test('100,000 records of two threads all arrive, readers see whole batches, and pages give each once', async (t) => {
  const { path, recorder, queries } = await open(t, 'many')
  const givers = [giver(t, 'a', 50_000, 100), giver(t, 'b', 50_000, 100)]
  for (const { attach } of givers) recorder.connect(attach)
  const watch = new DatabaseSync(path, { readOnly: true })
  const torn = watch.prepare('SELECT count(*) AS n FROM blocks WHERE rows * 88 <> length(numbers)')
  const reports = Promise.all(givers.map(({ ask }) => ask('start')))
  let looks = 0
  let ended = false
  void reports.then(() => {
    ended = true
  })
  while (!ended || looks < 5) {
    assert.equal(torn.get()?.['n'], 0)
    assert.ok((await queries.list({ limit: 10 })).items.length <= 10)
    looks++
  }
  assert.deepEqual(await reports, [
    { added: 50_000, dropped: 0 },
    { added: 50_000, dropped: 0 },
  ])
  await recorder.flush()
  const total = watch.prepare('SELECT sum(rows) AS n FROM blocks').get()
  assert.equal(total?.['n'], 100_000)
  const seen = new Set<string>()
  let cursor: string | null = null
  do {
    const page = await queries.list({ cursor, limit: 200, from: '2027-01-15T08:00:40Z' })
    for (const { id } of page.items) seen.add(id)
    cursor = page.next_cursor
  } while (cursor !== null)
  assert.equal(seen.size, 20_000, 'both threads gave 10,000 of the last ten seconds')
  watch.close()
})

test('a record can be read as soon as a flush has answered', async (t) => {
  const { recorder, queries } = await open(t, 'flush')
  const queue = createRecordQueue()
  recorder.connect((port) => connectRecordQueue(queue, port))
  for (let i = 0; i < 5; i++) {
    queue.add(recordFields({ id: `flushed-${i}` }))
    await recorder.flush()
    assert.equal((await queries.get(`flushed-${i}`))?.id, `flushed-${i}`)
  }
})

test('a recorder that cannot store makes givers drop and count; they never wait, and later records arrive', async (t) => {
  const { path, recorder, queries } = await open(t, 'stalled')
  const busy = giver(t, 'a', 30_000, 3)
  recorder.connect(busy.attach)
  const other = new DatabaseSync(path, { timeout: 5000 })
  other.exec('BEGIN IMMEDIATE')
  t.after(() => other.isOpen && other.close())
  const { added, dropped } = await busy.ask('start')
  assert.equal(added, 30_000)
  assert.equal(dropped, 30_000 - 4 * 1024, 'three batches underway and one gathered')
  await eventually(() => recorder.state.lastError !== null && recorder.state.queued === 3 * 1024)
  other.exec('ROLLBACK')
  other.close()
  await eventually(() => recorder.state.queued === 0 && recorder.state.lastError === null)
  await recorder.flush()
  assert.equal((await queries.list({ from: '2027-01-15T08:00:00Z', limit: 1 })).items.length, 1)
})

test('what a thread handed over before it was ended is stored', async (t) => {
  const { recorder, queries } = await open(t, 'ended')
  const short = giver(t, 'a', 2000, 64)
  recorder.connect(short.attach)
  await short.ask('start')
  await short.ask('flush')
  await short.end()
  await recorder.flush()
  assert.equal((await queries.get('a-1999'))?.id, 'a-1999')
  assert.equal((await queries.get('a-0'))?.id, 'a-0')
})

test('a recorder that dies is replaced; gateway threads go on and nothing is lost uncounted', async (t) => {
  const { path, recorder, threads, logged } = await open(t, 'crash')
  const queue = createRecordQueue({ batchRows: 10 })
  recorder.connect((port) => connectRecordQueue(queue, port))
  for (let i = 0; i < 100; i++) queue.add(recordFields({ id: `before-${i}` }))
  await recorder.flush()
  await threads[0]!.terminate()
  for (let i = 0; i < 15; i++) queue.add(recordFields({ id: `between-${i}` }))
  await eventually(() => threads.length === 2 && recorder.state.running)
  assert.match(logged[0]!, /recorder thread ended/)
  for (let i = 0; i < 100; i++) queue.add(recordFields({ id: `after-${i}` }))
  await recorder.flush()
  const db = new DatabaseSync(path, { readOnly: true })
  const rows = Number(db.prepare('SELECT sum(rows) AS n FROM blocks').get()?.['n'])
  db.close()
  assert.equal(rows + queue.dropped, 215)
  assert.ok(rows >= 200)
})

test('after kill -9 every record that was acknowledged is there and the file opens', async (t) => {
  const path = join(directory, 'killed.db')
  const program = new URL('../programs/record-forever.ts', import.meta.url)
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program.pathname, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let taken = 0
  child.stdout.on('data', (piece: Buffer) => {
    const lines = piece.toString().trimEnd().split('\n')
    taken = Math.max(taken, ...lines.map(Number).filter(Number.isFinite))
    if (taken > 20_000) child.kill('SIGKILL')
  })
  await once(child, 'close')
  assert.ok(taken > 20_000)
  const { recorder, queries } = await open(t, 'killed')
  const db = new DatabaseSync(path, { readOnly: true })
  assert.ok(Number(db.prepare('SELECT sum(rows) AS n FROM blocks').get()?.['n']) >= taken)
  db.close()
  assert.ok((await queries.get('forever-0')) !== undefined)
  const queue = createRecordQueue()
  recorder.connect((port) => connectRecordQueue(queue, port))
  queue.add(recordFields({ id: 'after-the-kill' }))
  await recorder.flush()
  assert.ok((await queries.get('after-the-kill')) !== undefined)
})

test('records older than the retention are gone after a start', async (t) => {
  const first = await open(t, 'retention')
  const queue = createRecordQueue()
  first.recorder.connect((port) => connectRecordQueue(queue, port))
  queue.add(recordFields({ id: 'old', timeMs: Date.now() }))
  queue.flush()
  await first.recorder.flush()
  queue.add(recordFields({ id: 'new', timeMs: Date.now() + 2 * DAY_MS }))
  await first.close()
  const kept = await open(t, 'retention', { retentionMs: 30 * DAY_MS })
  assert.ok((await kept.queries.get('old')) !== undefined)
  await kept.close()
  const clockCell = createClockCell()
  moveClock(clockCell, 31 * DAY_MS)
  const second = await open(t, 'retention', { retentionMs: 30 * DAY_MS, clockCell })
  await eventually(async () => (await second.queries.get('old')) === undefined)
  assert.ok((await second.queries.get('new')) !== undefined, 'a stop stores what was gathered')
})

test('a file of a newer version is refused in one sentence and left as it is', async (t) => {
  const { path, close } = await open(t, 'newer')
  await close()
  const db = new DatabaseSync(path)
  db.exec("INSERT INTO schema_versions (version, name, applied_at) VALUES (99, 'later', '2030')")
  db.close()
  const before = readFileSync(path)
  await assert.rejects(open(t, 'newer'), {
    name: 'CannotStart',
    message: /^[^\n]*schema version 99[^\n]*$/,
  })
  assert.ok(readFileSync(path).equals(before))
})

/** A query thread says that it has started. */
const READY =
  'const { parentPort } = require("node:worker_threads"); parentPort.postMessage({ kind: "ready" });'

test('a query thread may take longer to start than to answer, and is started once', async (t) => {
  const { path, recorder } = await open(t, 'slow-start')
  await recorder.flush()
  const slow = `const { parentPort } = require("node:worker_threads")
    const answer = ({ id }) => parentPort.postMessage({ kind: "get", id, record: undefined })
    setTimeout(() => {
      parentPort.on("message", answer)
      parentPort.postMessage({ kind: "ready" })
    }, 2500)`
  let starts = 0
  const queries = createRecordQueries(
    () =>
      starts++ === 0
        ? new Worker(slow, { eval: true })
        : workers.start('query', { path, database: null, clockCell: null }),
    { deadlineMs: 2000 },
  )
  t.after(() => queries.close())
  assert.deepEqual(await Promise.all([queries.get('a'), queries.get('b')]), [undefined, undefined])
  assert.equal(starts, 1)
})

test('a query thread that ends before it has started ends all questions that wait for it', async (t) => {
  let starts = 0
  const queries = createRecordQueries(() => {
    starts++
    return new Worker('process.exit(1)', { eval: true })
  })
  t.after(() => queries.close())
  const asked = [queries.get('a'), queries.get('b'), queries.list({})]
  for (const one of await Promise.allSettled(asked))
    assert.equal(one.status === 'rejected' && one.reason.code, 'records_unavailable')
  assert.equal(starts, 1)
})

test('a query thread that hangs costs its question alone and is replaced', async (t) => {
  const { path, recorder } = await open(t, 'hang')
  const queue = createRecordQueue()
  recorder.connect((port) => connectRecordQueue(queue, port))
  queue.add(recordFields({ id: 'there' }))
  await recorder.flush()
  let starts = 0
  const queries = createRecordQueries(
    () =>
      starts++ === 0
        ? new Worker(`${READY} parentPort.on("message", () => { for (;;); })`, { eval: true })
        : workers.start('query', { path, database: null, clockCell: null }),
    { deadlineMs: 2000, waitingMax: 2 },
  )
  t.after(() => queries.close())
  const hangs = assert.rejects(queries.get('there'), { code: 'records_unavailable' })
  const waits = assert.rejects(queries.list({}), { code: 'records_unavailable' })
  const waitsToo = assert.rejects(queries.list({}), { code: 'records_unavailable' })
  await assert.rejects(queries.list({}), { code: 'records_unavailable' }, 'the waiting line is bounded')
  await Promise.all([hangs, waits, waitsToo])
  assert.equal((await queries.get('there'))?.id, 'there')
  assert.equal(starts, 2)
  await assert.rejects(queries.list({ status: '9xx' }), { code: 'input_invalid' })
  await assert.rejects(queries.list({ cursor: 'nonsense' }), { code: 'input_invalid' })
})

const [quota, rolling] = linkPolicy({
  kind: 'policy',
  id: 'pol_1',
  slug: 'gold',
  active: true,
  limits: [
    { name: 'day', kind: 'quota', max: 3, window_ms: 86_400_000 },
    { name: 'hours', kind: 'quota', max: 3, window_ms: 6 * 3_600_000, rolling: true },
  ],
}).limits

for (const limit of [quota!, rolling!])
  test(`a quota counts on after a restart: ${limit.algorithm}`, async (t) => {
    const now = Date.now()
    const key = limitKeyOf('cli_1')
    const plan = toPlan([planLimit(limit, 'client', key, key)])
    const takeOne = (memory: SharedArrayBuffer) => createCounters(memory, 0).take(plan, now)
    const first = createCounterMemory()
    const { close } = await open(t, limit.algorithm, { counters: first })
    assert.deepEqual([takeOne(first), takeOne(first)], [-1, -1])
    await close()
    const second = createCounterMemory()
    await open(t, limit.algorithm, { counters: second })
    assert.equal(takeOne(second), -1, 'the third of three')
    assert.equal(takeOne(second), 0, 'the quota is used up')
  })
