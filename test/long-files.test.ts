import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { LONG_FORM, longFiles, SMOKE, unitFiles } from './long-files.ts'

test('files that read a variable of the long form are found, also through modules of tests, and no others', () => {
  const top = mkdtempSync(join(tmpdir(), 'postern-long-'))
  mkdirSync(join(top, 'src'))
  mkdirSync(join(top, 'test'))
  const [first, second] = Object.keys(LONG_FORM)
  const files: Record<string, string> = {
    'src/reads.test.ts': `const isLong = process.env['${first}'] === 'true'`,
    'src/helped.test.ts': "import { cases } from '../test/cases.ts'",
    'test/further.test.ts': "import {\n  run,\n} from './run.ts'\nimport './cycle.ts'",
    'src/short.test.ts': "import { random } from '../test/random.ts'\nimport { it } from './it.ts'",
    'src/it.ts': `// ${first} is nothing to the product`,
    'test/cases.ts': `export const cases = process.env['${second}']`,
    'test/run.ts': "export { cases } from './cases.ts'",
    'test/random.ts': "import './cycle.ts'",
    'test/cycle.ts': "import './random.ts'",
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(top, name), text)
  const tests = Object.keys(files).filter((name) => name.endsWith('.test.ts'))
  assert.deepEqual(longFiles(tests, top), ['src/reads.test.ts', 'src/helped.test.ts', 'test/further.test.ts'])
  rmSync(top, { recursive: true })
})

test('unit tests are those of src and ui that neither start a server or a process nor import a module of tests that does', () => {
  const top = mkdtempSync(join(tmpdir(), 'postern-unit-'))
  mkdirSync(join(top, 'src'))
  mkdirSync(join(top, 'test'))
  const files: Record<string, string> = {
    'src/plain.test.ts': "import { control } from '../test/control.ts'",
    'src/asks.test.ts': "await fetch('http://127.0.0.1')",
    'src/helped.test.ts': "import { start } from '../test/start.ts'",
    'src/spawns.test.ts': "import { spawn } from 'node:child_process'",
    'test/wide.test.ts': 'nothing',
    'test/control.ts': 'export const control = 1',
    'test/start.ts': "export { start } from './server.ts'",
    'test/server.ts': "import { createServer } from 'node:http'",
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(top, name), text)
  const tests = Object.keys(files).filter((name) => name.endsWith('.test.ts'))
  assert.deepEqual(unitFiles(tests, top), ['src/plain.test.ts'])
  rmSync(top, { recursive: true })
})

test('each file of the long form that CI runs exists and has a long form', () => {
  const top = resolve(import.meta.dirname, '..')
  const files = Object.values(SMOKE).flat()
  assert.deepEqual(
    files.filter((file) => !existsSync(join(top, file))),
    [],
  )
  assert.deepEqual(longFiles(files, top), files)
})
