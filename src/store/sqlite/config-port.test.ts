import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { configStoreSuite } from '../../../test/store/config-suite.ts'
import { tamperWithFile } from '../../../test/support/tamper.ts'
import { openConfigStore } from './config.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-port-'))
after(() => rmSync(directory, { recursive: true, force: true }))

/** Functions that SQLite and PostgreSQL both have, and those that the dialect names. */
const COMMON = new Set(['coalesce', 'count', 'instr', 'length', 'lower', 'max', 'min', 'sum'])
/** Words before a parenthesis that are no functions. */
const WORDS = new Set([
  'and',
  'by',
  'conflict',
  'exists',
  'from',
  'in',
  'join',
  'not',
  'or',
  'select',
  'set',
  'values',
  'where',
])

/** The statements that queries of the store were prepared as. */
const statements = new Set<string>()
const prepare = DatabaseSync.prototype.prepare
DatabaseSync.prototype.prepare = function (this: DatabaseSync, text: string, ...more) {
  statements.add(text)
  return prepare.call(this, text, ...more)
}

let files = 0
configStoreSuite('SQLite', async () => {
  const file = join(directory, `${files++}.db`)
  return {
    isOfOneProcess: true,
    open: async (environment) => openConfigStore(file, environment),
    tamper: async () => tamperWithFile(file),
  }
})

test('the queries of the suite call no function that only one engine has', () => {
  const queries = [...statements].filter(
    (text) => /^(select|insert|update|delete) /.test(text) && text.includes('"'),
  )
  assert.ok(queries.length > 150, `${queries.length} queries were made`)
  for (const text of queries)
    for (const [, word = ''] of text.matchAll(/\b([a-z_0-9]+)\s*\(/g))
      assert.ok(COMMON.has(word) || WORDS.has(word), `${word}: ${text}`)
})
