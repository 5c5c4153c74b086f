import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'

test('a reason to skip that names a missing program is written down, and one that is by design is not', () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-summary-'))
  const file = join(directory, 'skips.test.mjs')
  const reasons = [
    'no Chromium was found: install the package chromium-headless-shell, or set CHROMIUM to its path',
    'MariaDB is not installed',
    'install haproxy to run this',
    'only in npm run test:all',
    'a small disk can be mounted on Linux only',
  ]
  writeFileSync(
    file,
    `import { test } from 'node:test'
for (const skip of ${JSON.stringify(reasons)}) test(skip, { skip }, () => {})`,
  )
  const written = join(directory, 'missing')
  const reporter = pathToFileURL(join(import.meta.dirname, 'summary.ts')).href
  const { status, stdout } = spawnSync(process.execPath, ['--test', `--test-reporter=${reporter}`, file], {
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, FAILED_TESTS: undefined, MISSING_PROGRAMS: written },
    encoding: 'utf8',
  })
  const found = readFileSync(written, 'utf8').split('\n').filter(Boolean)
  rmSync(directory, { recursive: true })
  assert.equal(status, 0, stdout)
  assert.deepEqual(found, reasons.slice(0, 3))
})
