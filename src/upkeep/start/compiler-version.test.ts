import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { compilerVersion } from './configuration.ts'

test('another source, schema or version is another compiler; a test is not', () => {
  const root = mkdtempSync(join(tmpdir(), 'postern-compiler-'))
  for (const folder of ['snapshot/compile', 'model/api', 'base'])
    mkdirSync(join(root, folder), { recursive: true })
  const seen = new Set<string>()
  const isNew = (): boolean => seen.size < seen.add(compilerVersion('1.0.0', 1, root)).size
  assert.equal(isNew(), true)
  for (const file of ['snapshot/compile/compile.ts', 'model/api/policy.ts', 'base/clock.ts']) {
    writeFileSync(join(root, file), 'one')
    assert.equal(isNew(), true, file)
    writeFileSync(join(root, file), 'two')
    assert.equal(isNew(), true, file)
  }
  writeFileSync(join(root, 'model/api/policy.test.ts'), 'one')
  assert.equal(isNew(), false)
  assert.notEqual(compilerVersion('1.0.0', 2, root), compilerVersion('1.0.0', 1, root))
  assert.notEqual(compilerVersion('1.0.1', 1, root), compilerVersion('1.0.0', 1, root))
  rmSync(root, { recursive: true })
  assert.equal(compilerVersion('1.0.0', 1), compilerVersion('1.0.0', 1))
})
