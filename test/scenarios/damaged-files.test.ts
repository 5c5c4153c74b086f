import assert from 'node:assert/strict'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { createClock } from '../../src/base/clock.ts'
import { CannotStart } from '../../src/base/refusal.ts'
import type { Start } from '../../src/serve/start.ts'
import { openOwnStores, openStores, type Stores } from '../../src/serve/stores.ts'
import { readSettings } from '../../src/settings.ts'
import { createWorkers } from '../../src/threads/worker.ts'
import { IS_LONG } from '../support/long.ts'
import { examine } from '../support/upkeep.ts'
import { publishOrders, startTestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

/** Damages of each file. */
const DAMAGES = IS_LONG ? 80 : 8
const FILES = ['config.db', 'serving.db', 'records.db', 'lock.db', 'idempotency.db', 'audit.mark'] as const
const REMEDY = /postern (restore|doctor)|restore|delete|remove|created again|new file/i

const directory = mkdtempSync(join(tmpdir(), 'postern-damaged-'))
/** Of a stopped instance with a published route, records and idempotency keys. */
const sound = join(directory, 'sound')
let upstream: TestUpstream
let token: string
let served: readonly string[]
let copies = 0

before(async () => {
  upstream = await startUpstream()
  const server = await startTestServer({ data: sound })
  token = await publishOrders(server, upstream.url)
  const made = { collection: 'orders', name: 'Make', methods: ['POST'], path: '/v1/made', idempotency: true }
  const proxy = await server.manage('POST', '/proxies', { ...made, status: 'published' })
  assert.equal(proxy.status, 201, proxy.text)
  await server.manage('POST', '/collections/orders/publish', {})
  for (let n = 0; n < 20; n++) {
    const headers = { 'idempotency-key': `"key ${n}"` }
    const answer = await server.gateway('POST', '/orders/v1/made', { token, headers, body: { n } })
    assert.equal(answer.status, 200, answer.text)
  }
  await server.stop()
  for (const file of FILES) assert.ok(existsSync(join(sound, file)), file)
  served = (await open(copy())).keys.toSorted()
  assert.ok(served.length > 2)
})
after(async () => {
  await upstream.close()
  rmSync(directory, { recursive: true, force: true })
})

function copy(): string {
  const data = join(directory, `copy${copies++}`)
  cpSync(sound, data, { recursive: true })
  return data
}

/** Numbers from 0 to 1, the same for a seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Flips bytes, overwrites a range, blanks a page, or cuts the file off. */
function damage(file: string, next: () => number): string {
  const bytes = existsSync(file) ? readFileSync(file) : Buffer.alloc(0)
  const below = (end: number): number => Math.floor(next() * end)
  // Headers and the first pages lead to everything else: they are hit more often
  const at = next() < 0.4 ? below(Math.min(200, bytes.length)) : below(bytes.length)
  const kind = below(5)
  if (bytes.length === 0 || kind === 0) {
    const noise = Buffer.from(Array.from({ length: 600 }, () => below(256)))
    writeFileSync(file, noise)
    return 'noise'
  }
  if (kind === 1) {
    writeFileSync(file, bytes.subarray(0, at))
    return `cut off at ${at}`
  }
  const length = kind === 2 ? 1 : kind === 3 ? 1 + below(400) : 4096
  const from = kind === 4 ? Math.floor(at / 4096) * 4096 : at
  for (let index = from; index < Math.min(from + length, bytes.length); index++)
    bytes[index] = kind === 4 ? 0 : kind === 2 ? bytes[index]! ^ (1 << below(8)) : below(256)
  writeFileSync(file, bytes)
  return `${length} bytes at ${from}`
}

interface Opened {
  readonly log: string[]
  readonly keys: readonly string[]
}

/** Opens the stores of a data directory as a start does, uses them once, and closes them. Records only if asked: they take two threads. */
async function open(data: string, withRecords = false): Promise<Opened> {
  const log: string[] = []
  await using parts = new AsyncDisposableStack()
  const its: Start = {
    settings: readSettings(['--data', data], {}),
    clock: createClock(),
    clockCell: null,
    workers: createWorkers(),
    log: (level, message) => log.push(`${level} ${message}`),
    fault: (error, at) => log.push(`fault ${at}: ${error instanceof Error ? error.message : error}`),
    parts,
  }
  const stores = withRecords ? await openStores(its) : await openOwnStores(its)
  const claim = await stores.keys.claim('client key', 'fingerprint', 0)
  assert.notEqual(claim.state, 'unavailable')
  if ('records' in stores)
    await (stores as Stores).records.list({ limit: 10 } as never).catch((error: unknown) => {
      log.push(`records: ${(error as Error).message}`)
    })
  if (stores.store !== null) await stores.store.read.revision()
  return { log, keys: [...stores.first.fragments].map(({ key }) => key) }
}

for (const [index, file] of FILES.entries())
  test(`with ${file} damaged anywhere everything is served, or the start names a file and what to do`, async (t) => {
    const next = random(1 + index)
    let starts = 0
    const damages = file === 'records.db' ? DAMAGES / 2 : DAMAGES
    for (let n = 0; n < damages; n++) {
      const data = copy()
      const what = `${file}, ${damage(join(data, file), next)}`
      try {
        const { keys, log } = await open(data, file === 'records.db')
        assert.deepEqual(keys.toSorted(), served, `${what}: ${log.join('\n')}`)
        starts++
      } catch (error) {
        if (!(error instanceof CannotStart)) throw new Error(`${what}: ${String(error)}`, { cause: error })
        assert.ok(error.message.includes(data), `${what}: ${error.message}`)
        assert.match(error.message, REMEDY, what)
      }
      rmSync(data, { recursive: true, force: true })
    }
    t.diagnostic(`${starts} of ${damages} were served`)
    // There is always another file to serve from
    assert.equal(starts, damages)
  })

test('with config.db and serving.db damaged the start is refused, names both and says what to do', async () => {
  const data = copy()
  for (const file of ['config.db', 'serving.db'])
    writeFileSync(join(data, file), 'this is no database'.repeat(50))
  await assert.rejects(open(data), (error) => {
    assert.ok(error instanceof CannotStart)
    assert.match(
      error.message,
      /config\.db is damaged .*serving\.db is missing, empty or damaged, or was written by another version\. Restore a backup/,
    )
    return true
  })
})

test('with config.db gone a serving.db that cannot be used is kept, and the start begins nothing anew beside it', async () => {
  for (const content of ['this is no database'.repeat(50), null]) {
    const data = copy()
    const serving = join(data, 'serving.db')
    if (content !== null) writeFileSync(serving, content)
    else {
      using database = new DatabaseSync(serving)
      database.exec('pragma user_version = 99')
    }
    rmSync(join(data, 'config.db'))
    for (let times = 0; times < 2; times++)
      await assert.rejects(
        open(data),
        (error) =>
          error instanceof CannotStart &&
          /config\.db is missing\..*without the old configuration, delete/.test(error.message),
      )
    assert.deepEqual([existsSync(join(data, 'config.db')), existsSync(serving)], [false, true])
  }
})

test('a damaged file is named in the log with what was done about it, and by doctor with what to do', async () => {
  for (const [file, logged, found] of [
    ['serving.db', /serving\.db is damaged .* created again from config\.db/, /is damaged/],
    ['idempotency.db', /idempotency\.db is damaged .* A new file begins/, /is damaged/],
    [
      'records.db',
      /records\.db is damaged .* is now .*records\.db\.damaged-\d+.*New records begin/,
      /is damaged/,
    ],
    ['lock.db', null, /is damaged/],
  ] as const) {
    const data = copy()
    writeFileSync(join(data, file), 'this is no database'.repeat(50))
    const env = { POSTERN_LISTEN: '127.0.0.1:0', POSTERN_CONTROL_LISTEN: '127.0.0.1:0' }
    const findings = await examine({ data, env, isNetworkAsked: false })
    const finding = findings.find(({ check }) => check === file)
    assert.match(finding?.found ?? '', found, file)
    assert.match(finding?.fix ?? '', REMEDY, file)
    const { log } = await open(data, file === 'records.db')
    if (logged !== null) assert.match(log.join('\n'), logged)
    if (file === 'records.db')
      assert.ok(readdirSync(data).some((name) => name.startsWith('records.db.damaged-')))
    const after = await examine({ data, env, isNetworkAsked: false })
    assert.notEqual(after.find(({ check }) => check === file)?.state, 'fail', file)
  }
})

test('a restore that was cut off before config.db is told of by the start and by doctor; one that was done hinders nothing', async () => {
  const empty = join(directory, 'cut')
  mkdirSync(join(empty, 'restore.part'), { recursive: true })
  writeFileSync(join(empty, 'restore.part', 'config.db'), 'half')
  await assert.rejects(
    open(empty),
    /restore into .* was interrupted: .*restore\.part .*Run postern restore again/,
  )
  const env = { POSTERN_LISTEN: '127.0.0.1:0', POSTERN_CONTROL_LISTEN: '127.0.0.1:0' }
  const findings = await examine({ data: empty, env, isNetworkAsked: false })
  assert.match(findings.find(({ check }) => check === 'restore.part')?.fix ?? '', /postern restore/)
  const done = copy()
  mkdirSync(join(done, 'restore.part'))
  const { keys, log } = await open(done)
  assert.deepEqual(keys.toSorted(), served)
  assert.match(log.join('\n'), /restore\.part is left from an interrupted restore\. Delete it/)
})

test('with records.db damaged a call is answered and recorded', async () => {
  const data = copy()
  writeFileSync(join(data, 'records.db'), 'this is no database'.repeat(50))
  await using server = await startTestServer({ data })
  assert.equal((await server.gateway('GET', '/orders/v1/orders/7', { token })).status, 200)
  const records = await server.manage('GET', '/records')
  assert.deepEqual([records.status, records.json.items.length], [200, 1])
})

test('a directory with the name of any file of the data directory: everything is served, or the start names it and what to do', async () => {
  const env = { POSTERN_LISTEN: '127.0.0.1:0', POSTERN_CONTROL_LISTEN: '127.0.0.1:0' }
  for (const file of [...FILES, 'vault.key', 'serving.db-wal', 'config.db-wal', 'records.db-shm']) {
    const data = copy()
    rmSync(join(data, file), { force: true })
    mkdirSync(join(data, file))
    writeFileSync(join(data, file, 'note'), 'of somebody')
    const findings = await examine({ data, env, isNetworkAsked: false })
    assert.ok(
      file.includes('-') || findings.some(({ found }) => found.includes(join(data, file))),
      `doctor: ${file}`,
    )
    try {
      const { keys, log } = await open(data, file.startsWith('records.db'))
      assert.deepEqual(keys.toSorted(), served, `${file}: ${log.join('\n')}`)
      assert.ok(
        log.some((line) => line.includes(join(data, file))),
        `${file}: ${log.join('\n')}`,
      )
      const names = readdirSync(data).filter((name) => name.startsWith(file))
      assert.ok(
        names.some((name) => existsSync(join(data, name, 'note'))),
        `${file}: what is in it is kept: ${names}`,
      )
    } catch (error) {
      if (!(error instanceof CannotStart)) throw new Error(`${file}: ${String(error)}`, { cause: error })
      assert.ok(['lock.db', 'vault.key'].includes(file), `${file}: ${error.message}`)
      assert.ok(error.message.includes(join(data, file)) || error.message.includes(file), error.message)
      assert.match(error.message, REMEDY, file)
    }
    rmSync(data, { recursive: true, force: true })
  }
})

test('a copy of config.db that a killed process has left is used when it is whole, removed when it is not needed, and named when it is not whole', async () => {
  const env = { POSTERN_LISTEN: '127.0.0.1:0', POSTERN_CONTROL_LISTEN: '127.0.0.1:0' }
  const whole = copy()
  renameSync(join(whole, 'config.db'), join(whole, 'config.db.new'))
  writeFileSync(join(whole, 'config.db-wal'), 'of the file that is gone')
  const findings = await examine({ data: whole, env, isNetworkAsked: false })
  assert.match(findings.find(({ check }) => check === 'config.db.new')?.fix ?? '', /next start uses it/)
  const used = await open(whole)
  assert.deepEqual(used.keys.toSorted(), served)
  assert.match(
    used.log.join('\n'),
    /config\.db was missing\. The complete copy .*config\.db\.new of a killed process is used/,
  )
  assert.doesNotMatch(used.log.join('\n'), /cannot be changed/)
  assert.deepEqual(
    [existsSync(join(whole, 'config.db')), existsSync(join(whole, 'config.db.new'))],
    [true, false],
  )

  const unneeded = copy()
  writeFileSync(join(unneeded, 'config.db.new'), 'half')
  assert.match((await open(unneeded)).log.join('\n'), /config\.db\.new was left .* and was removed/)
  assert.ok(!existsSync(join(unneeded, 'config.db.new')))

  const cut = copy()
  const bytes = readFileSync(join(cut, 'config.db'))
  rmSync(join(cut, 'config.db'))
  writeFileSync(join(cut, 'config.db.new'), bytes.subarray(0, bytes.length / 2))
  const { keys, log } = await open(cut)
  assert.deepEqual(keys.toSorted(), served)
  assert.match(log.join('\n'), /config\.db\.new is an incomplete copy of config\.db.*Delete it/)
})

test('a start without a usable config.db names its fault in /readyz and in the metrics', async () => {
  for (const [fault, spoil] of [
    ['missing', (file: string) => rmSync(file)],
    ['damaged', (file: string) => writeFileSync(file, 'this is no database'.repeat(50))],
    ['truncated', (file: string) => writeFileSync(file, '')],
  ] as const) {
    const data = copy()
    spoil(join(data, 'config.db'))
    await using server = await startTestServer({ data, adminless: true })
    assert.equal((await server.gateway('GET', '/orders/v1/orders/7', { token })).status, 200)
    const readiness = await fetch(`${server.running.controlUrl}/readyz`)
    // biome-ignore lint/suspicious/noExplicitAny: the test reads the members it asserts on
    const json = (await readiness.json()) as any
    assert.deepEqual([readiness.status, json.store, json.stores.config], [200, false, fault])
    const metrics = await (await fetch(`${server.running.controlUrl}/metrics`)).text()
    assert.ok(metrics.includes(`postern_store_fault{store="configuration",fault="${fault}"} 1`), fault)
  }
})
