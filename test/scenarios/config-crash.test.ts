import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { openConfigStore } from '../../src/store/sqlite/config.ts'
import { IS_LONG } from '../support/long.ts'

const ROUNDS = IS_LONG ? 6 : 2
const COUNT = 1000

test('killed while a thousand documents are applied, all of them are there or none', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-apply-'))
  for (let round = 0; round < ROUNDS; round++) {
    const answered = await applyUntilKilled(directory, round)
    const store = openConfigStore(join(directory, 'config.db'))
    const revision = await store.read.revision()
    assert.ok(revision >= answered, `revision ${answered} was answered, ${revision} is there`)
    const policies = await store.read.all('policies')
    const applied = await store.read.applied('default')
    assert.equal(policies.length, revision === 0 ? 0 : COUNT)
    assert.equal(applied.length, policies.length)
    const texts = new Set([...policies, ...applied].map(({ spec }) => spec['description']))
    assert.ok(texts.size <= 1, `${[...texts].join()} at once`)
    assert.deepEqual(
      new Set(policies.map((policy) => policy.revision)),
      new Set(revision === 0 ? [] : [revision]),
    )
    const { items } = await store.read.auditEntries({ limit: COUNT * 1000 })
    // Each applied document, and the apply itself
    assert.equal(items.length, revision * (COUNT + 1))
    await store.close()
  }
  rmSync(directory, { recursive: true, force: true })
})

/** Starts applying and kills it in the middle of an apply: of the first one, or of one after an answer. */
async function applyUntilKilled(directory: string, round: number): Promise<number> {
  const program = resolve(import.meta.dirname, '../programs/apply-forever.ts')
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', program, directory, `r${round}`],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let answered = 0
  let begun = 0
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'begun') begun++
    else answered = Number(line.split(' ')[1])
    if (begun > round % 2) break
  }
  // Not for something to happen: the moment itself is what is random.
  await wait(Math.random() * 500)
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return answered
}
