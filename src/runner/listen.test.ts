import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { listen } from './runner.ts'

test('a socket in a directory that does not exist is refused with what to create', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-listen-'))
  const path = join(directory, 'missing/runner.sock')
  try {
    await assert.rejects(
      listen({ kind: 'socket', path }, () => {}),
      /missing does not exist\. Create it/,
    )
  } finally {
    rmSync(directory, { recursive: true })
  }
})
