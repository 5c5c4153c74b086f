import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { AuditEntry } from '../../src/model/access/audit.ts'
import { RESOURCE_TYPES } from '../../src/model/resource-types.ts'
import { openConfigStore } from '../../src/store/sqlite/config.ts'
import { IS_LONG } from '../support/long.ts'
import { killNow, startUp, temporaryDirectory, type UpProcess } from './process.ts'
import { call, startTestServer } from './server.ts'

const ROUNDS = IS_LONG ? 12 : 2

/** Restarts after kills of whole processes, split over data directories that are used side by side. */
const RESTARTS = IS_LONG ? 200 : 3
const LANES = IS_LONG ? 4 : 1
const FIRST_MS = 5000

test('killed at any moment in the middle of writes, configuration and audit agree', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-crash-'))
  for (let round = 0; round < ROUNDS; round++) {
    const answered = await writeUntilKilled(directory, round)
    const store = openConfigStore(join(directory, 'config.db'))
    const revision = await store.read.revision()
    assert.ok(revision >= answered, `revision ${answered} was answered, ${revision} is there`)

    const { items } = await store.read.auditEntries({ limit: 100_000 })
    const done = items.filter((entry) => entry.outcome === 'ok').reverse()
    assert.deepEqual(
      done.map((entry) => entry.config_revision),
      Array.from({ length: revision }, (_, n) => n + 1),
      'each revision has exactly its entry',
    )
    const last = new Map<string, AuditEntry>(done.map((entry) => [entry.resource.id!, entry]))
    const stored = new Map<string, number>()
    for (const type of RESOURCE_TYPES)
      for (const resource of await store.read.all(type)) stored.set(resource.id, resource.revision)
    for (const [id, entry] of last)
      assert.equal(stored.get(id) ?? null, entry.revision_after, `${entry.operation} of ${id}`)
    // Profiles come with their client and have no entry of their own here; everything else has one.
    for (const id of stored.keys()) assert.ok(last.has(id) || id.startsWith('pro_'), id)
    const clients = (await store.read.all('clients')).length
    assert.equal((await store.read.all('profiles')).length, clients, 'no client without its profile')
    await store.close()
  }
  rmSync(directory, { recursive: true, force: true })
})

/** Starts a writer and kills it at a moment that differs by round; returns the last revision it was answered. */
async function writeUntilKilled(directory: string, round: number): Promise<number> {
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      resolve(import.meta.dirname, '../crash-writer.ts'),
      directory,
      `r${round}`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let output = ''
  const busy = new Promise<void>((done) => {
    child.stdout.on('data', (piece: Buffer) => {
      output += piece.toString()
      if ((output.match(/answered/g)?.length ?? 0) > round) done()
    })
  })
  await busy
  // Not for something to happen: the moment itself is what is random.
  await wait(Math.random() * 20)
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return Number([...output.matchAll(/answered (\d+)\n/g)].at(-1)?.[1] ?? 0)
}

test('killed at random moments of the start and of the first seconds, the next process has each change that answered and takes another at once', {
  concurrency: LANES,
}, async (t) => {
  const lanes = Array.from({ length: LANES }, (_, lane) =>
    t.test(`data directory ${lane + 1}`, () =>
      restartAfterKills(RESTARTS / LANES, (line) => t.diagnostic(line)),
    ),
  )
  await Promise.all(lanes)
})

/** What was asked of management and answered, by the names of policies. */
interface Written {
  readonly token: string
  /** The last value that answered, and the last one that was asked for. */
  readonly values: Map<string, { answered: number; asked: number }>
  made: number
}

async function restartAfterKills(restarts: number, tell: (line: string) => void): Promise<void> {
  const data = await temporaryDirectory()
  const written: Written = { token: await adminToken(data), values: new Map(), made: 0 }
  let kills = 0
  let changes = 0
  for (let round = 0; round < restarts; round++) {
    const begun = performance.now()
    const up = await startUp(data)
    const startMs = performance.now() - begun
    try {
      await demandAll(up, written)
      changes += await changeUntilKilled(up, written)
    } finally {
      await killNow(up)
    }
    kills++
    // Half of the restarts find what a start has left that was killed itself
    if (round % 2 === 0) {
      await killInStart(data, startMs)
      kills++
    }
  }
  const last = await startUp(data)
  await demandAll(last, written)
  assert.equal((await manage(last, written, 'GET', '/audit/verify')).json.ok, true)
  last.child.kill('SIGTERM')
  assert.equal((await last.ended).code, 0, 'the last one stops in order')
  tell(`${restarts} restarts after ${kills} kills, ${changes} changes that answered`)
  rmSync(data, { recursive: true, force: true })
}

async function adminToken(data: string): Promise<string> {
  await using server = await startTestServer({ data, adminless: true })
  return (await server.running.issueToken({ role: 'admin', ttl: '1d', name: 'writer' })).token
}

const manage = (up: UpProcess, { token }: Written, method: string, path: string, body?: unknown) =>
  call(method, `${up.controlUrl}/management/v1${path}`, { token, ...(body === undefined ? {} : { body }) })

/** A change is accepted at once, all that answered before is there, and nothing that nobody asked for. */
async function demandAll(up: UpProcess, written: Written): Promise<void> {
  const slug = `at-once-${written.made}`
  const first = await manage(up, written, 'POST', '/policies', { name: '0', slug })
  assert.equal(first.status, 201, `${first.text}\n${up.output()}`)
  for (const [one, { answered, asked }] of written.values) {
    const { json, text } = await manage(up, written, 'GET', `/policies/${one}`)
    const value = Number(json.name)
    assert.ok(value === answered || value === asked, `${one}: ${answered} had answered, ${text}`)
    written.values.set(one, { answered: value, asked: value })
  }
  written.values.set(slug, { answered: 0, asked: 0 })
  written.made++
  const { json: ready } = await call('GET', `${up.controlUrl}/readyz`)
  // A machine with much load is slow, and nothing is wrong with the file
  assert.ok([null, 'slow'].includes(ready.stores.config), `${ready.stores.config}: ${up.output()}`)
}

/** Changes policies one after the other until the process is killed. Returns how many changes answered. */
async function changeUntilKilled(up: UpProcess, written: Written): Promise<number> {
  let changes = 0
  const end = wait(Math.random() * FIRST_MS).then(() => killNow(up))
  const slugs = [...written.values.keys()].slice(-3)
  try {
    for (let n = 0; ; n++) {
      const slug = slugs[n % slugs.length]!
      const value = written.values.get(slug)!
      value.asked++
      const body = { name: `${value.asked}`, description: `${n % 10}`.repeat(2000) }
      const { status, text } = await manage(up, written, 'PATCH', `/policies/${slug}`, body)
      assert.equal(status, 200, `${text}\n${up.output()}`)
      value.answered = value.asked
      changes++
    }
  } catch (error) {
    // The connection that broke: fetch says it so
    if (!(error instanceof TypeError)) throw error
  } finally {
    await end
  }
  return changes
}

/** Kills a start in the middle, or shortly after it is ready. */
async function killInStart(data: string, startMs: number): Promise<void> {
  const starting = new AbortController()
  const up = startUp(data, [], {}, false, starting.signal).catch(() => null)
  await wait(Math.random() * startMs * 1.2)
  starting.abort()
  await up
}
