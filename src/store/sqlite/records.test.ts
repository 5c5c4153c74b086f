import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { CannotStart } from '../../base/refusal.ts'
import { openRecordStore } from './records.ts'

test('a records file is for its owner alone, and one that is no database is named', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-records-'))
  const broken = join(directory, 'broken.db')
  writeFileSync(broken, 'not a database, but long enough to be taken for the head of one '.repeat(20))
  assert.throws(
    () => openRecordStore(broken),
    (error: Error) => error instanceof CannotStart && error.message.startsWith(`${broken} cannot be opened`),
  )
  const made = join(directory, 'records.db')
  await openRecordStore(made).close()
  assert.equal(statSync(made).mode & 0o777, 0o600)
  rmSync(directory, { recursive: true })
})
