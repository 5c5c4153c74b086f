import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { CannotStart } from '../../base/refusal.ts'
import { lockDirectory } from './directory-lock.ts'
import { openRecordStore } from './records.ts'

const MODULE = new URL('./directory-lock.ts', import.meta.url).href

test('a second instance is refused until the first is gone, even when it was killed', async (t) => {
  const path = join(mkdtempSync(join(tmpdir(), 'postern-lock-')), 'data')
  const script = `import { lockDirectory } from ${JSON.stringify(MODULE)}
    const lock = lockDirectory(process.argv[1]); console.log('held'); setInterval(() => lock, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, path], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  assert.throws(
    () => lockDirectory(path),
    (error: Error) => error instanceof CannotStart && error.message.includes('in use by another'),
  )
  child.kill('SIGKILL')
  await once(child, 'exit')
  const lock = lockDirectory(path)
  assert.equal(statSync(path).mode & 0o777, 0o700)
  assert.equal(statSync(join(path, 'lock.db')).mode & 0o777, 0o600, 'no other user can lock it')
  assert.throws(() => lockDirectory(path), CannotStart)
  lock.release()
  lockDirectory(path).release()
  rmSync(path, { recursive: true, force: true })
})

test('the records are for their owner alone, also in a directory that is open to others', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-records-'))
  chmodSync(directory, 0o755)
  const store = openRecordStore(join(directory, 'records.db'))
  for (const file of readdirSync(directory))
    assert.equal(statSync(join(directory, file)).mode & 0o777, 0o600, file)
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

test('a data directory that cannot be made is one sentence', () => {
  assert.throws(
    () => lockDirectory('/dev/null/data'),
    (error: Error) => error instanceof CannotStart && !error.message.includes('\n'),
  )
})
