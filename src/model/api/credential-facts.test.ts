import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CredentialStep } from './credential.ts'
import { toCredentialTest } from './credential-facts.ts'

function called(status: number): string {
  const step: CredentialStep = { step: 'call', latency_ms: 1, ok: true, status, error: null }
  return toCredentialTest([step]).summary
}

test('only an answer of the path that was asked for says that a credential works', () => {
  assert.equal(called(200), 'It works: the upstream answered 200.')
  assert.equal(
    called(404),
    'The upstream did not refuse it, but answered 404. Test it with a path that exists at the upstream.',
  )
})
