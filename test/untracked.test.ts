import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'

test('in a run of all tests an error that no test catches fails its file, and is told', () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-untracked-'))
  const file = join(directory, 'late.test.mjs')
  writeFileSync(
    file,
    `import { test } from 'node:test'
test('passes', async () => {
  setTimeout(() => { throw new Error('nobody catches it') })
  Promise.reject(new Error('nobody looks at it'))
  await new Promise((done) => setTimeout(done, 50))
})`,
  )
  const loaded = pathToFileURL(join(import.meta.dirname, 'untracked.ts')).href
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined }
  const args = ['--import', loaded, '--test', '--test-reporter=tap', file]
  const { status, stdout } = spawnSync(process.execPath, args, { env, encoding: 'utf8' })
  rmSync(directory, { recursive: true })
  assert.equal(status, 1, stdout)
  for (const told of [/ok 1 - passes/, /nobody catches it/, /nobody looks at it/]) assert.match(stdout, told)
})
