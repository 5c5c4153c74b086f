import assert from 'node:assert/strict'
import { chmodSync, chownSync, cpSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createClock } from '../../src/base/clock.ts'
import type { Start } from '../../src/serve/start.ts'
import { openOwnStores } from '../../src/serve/stores.ts'
import { readSettings } from '../../src/settings.ts'
import { lockForStart } from '../../src/store/sqlite/directory-lock.ts'
import { createWorkers } from '../../src/threads/worker.ts'
import { examine } from '../support/upkeep.ts'
import { publishOrders, startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const NOBODY = 65534
const ENV = { POSTERN_LISTEN: '127.0.0.1:0', POSTERN_CONTROL_LISTEN: '127.0.0.1:0' }
// Modes mean nothing there
const skip = process.platform === 'win32'

const directory = mkdtempSync(join(tmpdir(), 'postern-unwritable-'))
/** Of a process that was killed: what was revoked last is in the write-ahead log of serving.db alone. */
const killed = join(directory, 'killed')
const sound = join(directory, 'sound')
let upstream: TestUpstream
let token: string
/** Of a profile that was closed with the last change before the kill. */
let revoked: string
let served: readonly string[]
let copies = 0

before(async () => {
  if (process.getuid?.() === 0) {
    // Root may write whatever the mode says
    chownSync(directory, NOBODY, NOBODY)
    process.setgroups?.([NOBODY])
    process.setgid?.(NOBODY)
    process.setuid?.(NOBODY)
  }
  upstream = await startUpstream()
  await using server = await startTestServer({ data: sound })
  token = await publishOrders(server, upstream.url)
  const made = { collection: 'orders', name: 'Make', methods: ['POST'], path: '/v1/made', idempotency: true }
  assert.equal((await server.manage('POST', '/proxies', { ...made, status: 'published' })).status, 201)
  await server.manage('POST', '/collections/orders/publish', {})
  const headers = { 'idempotency-key': '"key"' }
  assert.equal((await server.gateway('POST', '/orders/v1/made', { token, headers, body: {} })).status, 200)
  const other = { client: 'acme', name: 'Other', slug: 'other', auth: { type: 'token' } }
  const { json: profile } = await server.manage('POST', '/profiles', other)
  revoked = profile.token
  assert.equal((await server.gateway('GET', '/orders/v1/orders/7', { token: revoked })).status, 200)
  assert.equal((await server.manage('DELETE', `/profiles/${profile.id}?confirm=other`)).status, 200)
  cpSync(sound, killed, { recursive: true, filter: (path) => !path.endsWith('.sock') })
  assert.ok(statSync(join(killed, 'serving.db-wal')).size > 0)
  await server.stop()
  served = await open(copyOf(sound)).then(({ keys }) => keys)
  assert.ok(served.length > 2)
})
after(async () => {
  await upstream.close()
  for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o700)
  rmSync(directory, { recursive: true, force: true })
})

function copyOf(from: string): string {
  const data = join(directory, `copy${copies++}`)
  cpSync(from, data, { recursive: true })
  return data
}

/** Opens the stores of a data directory as a start does, and closes them. Records are not opened. */
async function open(data: string): Promise<{ readonly log: string; readonly keys: readonly string[] }> {
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
  const { first } = await openOwnStores(its)
  return { log: log.join('\n'), keys: [...first.fragments].map(({ key }) => key) }
}

async function readiness(server: TestServer) {
  const answer = await fetch(`${server.running.controlUrl}/readyz`)
  // biome-ignore lint/suspicious/noExplicitAny: the test reads the members it asserts on
  return { status: answer.status, json: (await answer.json()) as any }
}

async function metrics(server: TestServer): Promise<string> {
  return (await fetch(`${server.running.controlUrl}/metrics`)).text()
}

/** What doctor finds under a name, as one text. */
async function found(data: string, check: string): Promise<string> {
  const findings = await examine({ data, env: ENV, isNetworkAsked: false })
  return findings
    .filter((finding) => finding.check === check && finding.state !== 'ok')
    .map((finding) => `${finding.found} | ${finding.fix}`)
    .join('\n')
}

test('a data directory that cannot be written is served from serving.db with its log; management answers 503 and the log and doctor name mode, owner and remedy', {
  skip,
}, async () => {
  chmodSync(killed, 0o555)
  const before = readdirSync(killed)
  const sentence =
    /killed cannot be written by this process \(mode 0555, owner uid \d+; the process runs as uid \d+\)/
  {
    await using server = await startTestServer({ data: killed, adminless: true })
    assert.equal((await server.gateway('GET', '/orders/v1/orders/7', { token })).status, 200)
    assert.equal((await server.gateway('GET', '/orders/v1/orders/7', { token: revoked })).status, 401)
    const headers = { 'idempotency-key': '"key"' }
    const again = await server.gateway('POST', '/orders/v1/made', { token, headers, body: {} })
    assert.deepEqual([again.status, again.headers.get('idempotency-replayed')], [200, 'true'])
    const managed = await server.manage('GET', '/collections', undefined, { token: 'x' })
    assert.deepEqual([managed.status, managed.json.code], [503, 'store_unavailable'])
    const { status, json } = await readiness(server)
    assert.deepEqual([status, json.status, json.store], [200, 'warn', false])
    const log = server.log.join('\n')
    assert.match(log, sentence)
    assert.match(log, /is served and cannot be changed\. Run: chmod u\+rwx .*killed\. Then start again\./)
    assert.doesNotMatch(log, /damaged|Restore/)
    await until(async () => {
      const { stores } = (await readiness(server)).json
      return stores.records === 'read_only' && stores.idempotency === 'read_only'
    })
    // A process that also only reads does not hinder it, and a process that writes is kept out
    lockForStart(killed).release()
    chmodSync(killed, 0o700)
    assert.throws(() => lockForStart(killed), /in use by another running instance/)
    chmodSync(killed, 0o555)
  }
  assert.deepEqual(readdirSync(killed), before)
  const text = await found(killed, 'data directory')
  assert.match(text, sentence)
  assert.match(text, /chmod u\+rwx .*killed/)
  chmodSync(killed, 0o700)
  lockForStart(killed).release()
})

test('records.db and idempotency.db that cannot be written: everything is served, keys of before are known, and readyz, metrics, log and doctor tell of it', {
  skip,
}, async () => {
  const data = copyOf(sound)
  for (const file of ['records.db', 'idempotency.db']) chmodSync(join(data, file), 0o400)
  for (const file of ['records.db', 'idempotency.db'])
    assert.match(
      await found(data, file),
      new RegExp(`${file} cannot be written by this process \\(mode 0400.*chmod u\\+rw `),
    )
  await using server = await startTestServer({ data })
  assert.equal((await server.gateway('GET', '/orders/v1/orders/7', { token })).status, 200)
  const headers = { 'idempotency-key': '"key"' }
  const again = await server.gateway('POST', '/orders/v1/made', { token, headers, body: {} })
  assert.deepEqual([again.status, again.headers.get('idempotency-replayed')], [200, 'true'])
  await until(async () => {
    const { stores } = (await readiness(server)).json
    return stores.records === 'read_only' && stores.idempotency === 'read_only'
  })
  assert.ok((await metrics(server)).includes('postern_store_fault{store="records",fault="read_only"} 1'))
  assert.match(
    server.log.join('\n'),
    /records\.db cannot be used \(read_only\): .*records\.db cannot be written by this process \(mode 0400.*Run: chmod u\+rw .*records\.db/,
  )
  assert.match(
    server.log.join('\n'),
    /idempotency\.db cannot be used \(read_only\): .*copy\d+\/idempotency\.db cannot be written by this process \(mode 0400/,
  )
  // It goes on by itself
  chmodSync(join(data, 'records.db'), 0o600)
  await until(async () => (await readiness(server)).json.stores.records === null)
})

test('config.db that cannot be written: serving.db is served, and the log and doctor name the mode, the owner and the remedy, and no damage', {
  skip,
}, async () => {
  for (const mode of [0o400, 0]) {
    const data = copyOf(sound)
    chmodSync(join(data, 'config.db'), mode)
    const { log, keys } = await open(data)
    assert.deepEqual(keys, served)
    const sentence = new RegExp(
      `config\\.db cannot be ${mode === 0 ? 'read' : 'written'} by this process \\(mode 0${mode === 0 ? '000' : '400'}, owner uid`,
    )
    assert.match(log, sentence)
    assert.match(log, /Run: chmod u\+rw .*config\.db\. Then start again\./)
    assert.doesNotMatch(log, /damaged|Restore/)
    assert.match(await found(data, 'config.db'), sentence)
  }
})

test('serving.db, lock.db, audit.mark and vault.key that can only be read keep nothing from being served', {
  skip,
}, async () => {
  for (const file of ['serving.db', 'lock.db', 'audit.mark', 'vault.key']) {
    const data = copyOf(sound)
    chmodSync(join(data, file), 0o400)
    if (file !== 'vault.key') assert.match(await found(data, file), /mode 0400.*chmod u\+rw /)
    const { log, keys } = await open(data)
    assert.deepEqual(keys, served, file)
    assert.doesNotMatch(log, /cannot be changed/, file)
    assert.ok(statSync(join(data, 'serving.db')).size > 0, file)
  }
})

test('with nothing to serve the start names the directory or the files that cannot be read, and what to do', {
  skip,
}, async () => {
  const data = copyOf(sound)
  for (const file of ['config.db', 'serving.db']) chmodSync(join(data, file), 0)
  // Unreadable, it is made anew; only a directory that cannot be written leaves it as it is
  chmodSync(data, 0o555)
  await assert.rejects(open(data), (error: Error) => {
    assert.match(error.message, /cannot be written by this process \(mode 0555/)
    assert.match(error.message, /serving\.db cannot be read by this process \(mode 0000, owner uid/)
    assert.match(error.message, /chmod u\+rw .*serving\.db/)
    assert.doesNotMatch(error.message, /damaged/)
    return true
  })
  chmodSync(data, 0o700)
  const key = copyOf(sound)
  chmodSync(join(key, 'vault.key'), 0)
  await assert.rejects(
    open(key),
    /vault\.key cannot be read by this process \(mode 0000.*Run: chmod u\+rw .*vault\.key/,
  )
})

/** Asks until it holds. Throws after ten seconds. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, 'not within ten seconds')
    await new Promise((done) => setTimeout(done, 50))
  }
}
