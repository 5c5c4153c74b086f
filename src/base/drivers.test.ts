import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { isDriverInstalled, missingDriver } from './drivers.ts'

test('a driver is installed if its package is there in the major version that is known', () => {
  const top = mkdtempSync(join(tmpdir(), 'postern-drivers-'))
  const from = pathToFileURL(join(top, 'main.js')).href
  const install = (text: string): void => {
    mkdirSync(join(top, 'node_modules/pg'), { recursive: true })
    writeFileSync(join(top, 'node_modules/pg/package.json'), text)
  }
  assert.equal(isDriverInstalled('pg', from), false)
  for (const [text, is] of [
    ['{"name":"pg","version":"8.99.0"}', true],
    ['{"name":"pg","version":"9.0.0"}', false],
    ['{', false],
    ['{"name":"pg"}', false],
  ] as const) {
    rmSync(join(top, 'node_modules'), { recursive: true, force: true })
    install(text)
    assert.equal(isDriverInstalled('pg', from), is, text)
  }
  rmSync(top, { recursive: true })
})

test('what is missing comes with the command that installs it', () => {
  assert.match(missingDriver('pg'), /run "npm install --no-save pg@8\.\d+\.\d+" in the folder of Postern$/)
})
