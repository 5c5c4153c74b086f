import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { PROBLEMS, problemType, type RefusalCode } from '../../src/base/refusal.ts'
import { problemsOf } from './problems.ts'

const printed = resolve(import.meta.dirname, '../../docs/problems')

test('every problem code has a page in the console, with the text of the closed list', () => {
  const pages = problemsOf(printed)
  assert.deepEqual(Object.keys(pages), Object.keys(PROBLEMS))
  for (const [code, { status, title, help }] of Object.entries(PROBLEMS))
    assert.deepEqual(pages[code], { title, status, type: problemType(code as RefusalCode), text: help })
})

test('a page that was not printed ends the build', () => {
  const directory = mkdtempSync(resolve(tmpdir(), 'postern-problems-'))
  try {
    cpSync(printed, directory, { recursive: true })
    writeFileSync(resolve(directory, 'not_found.md'), '# Not found\n')
    assert.throws(() => problemsOf(directory), /docs\/problems\/not_found\.md/)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
