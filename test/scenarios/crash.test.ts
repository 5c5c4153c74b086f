import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { AuditEntry } from '../../src/model/audit.ts'
import { RESOURCE_TYPES } from '../../src/model/resource-types.ts'
import { openConfigStore } from '../../src/store/sqlite/config.ts'
import { IS_LONG } from '../support/long.ts'

const ROUNDS = IS_LONG ? 12 : 2

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
