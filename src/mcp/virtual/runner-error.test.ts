import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fuzzCases } from '../../../test/support/long.ts'
import { PROBLEMS } from '../../base/refusal.ts'
import { runnerFailureIn } from './runner-error.ts'

const error = (data: unknown, code = -31_000) => ({ code, message: 'The server has ended.', data })

test('an error of the runner says whether the call may have been executed, and when to try again', () => {
  const data = { reason: 'process_ended', executed: 'unknown', retry_after_ms: 999.5 }
  assert.deepEqual(runnerFailureIn(error(data), true), {
    code: 'upstream_unreachable',
    reason: 'The server has ended. The server may have executed the call.',
    members: { runner_reason: 'process_ended', executed: 'unknown', retry_after_ms: 1000 },
  })
  // Of the session that the call needs: the call itself was not sent
  assert.equal(runnerFailureIn(error(data), false)?.members['executed'], 'no')
  assert.equal(
    runnerFailureIn(error({ reason: 'backoff', executed: 'no' }), true)?.code,
    'upstream_unavailable',
  )
  // As Object.prototype has it
  assert.equal(runnerFailureIn(error({ reason: 'constructor' }), true)?.code, 'upstream_unavailable')
})

test('an error of the server itself is none of the runner', () => {
  assert.equal(runnerFailureIn(error({ reason: 'process_ended' }, -32_000), true), null)
  assert.equal(runnerFailureIn(error(null), true), null)
  assert.equal(runnerFailureIn(error({ reason: 'No reason' }), true), null)
})

test('whatever a server puts into such an error, the refusal is one that exists and is bounded', () => {
  const data = fc.record(
    {
      reason: fc.oneof(fc.string(), fc.constant('memory_exceeded')),
      executed: fc.anything(),
      retry_after_ms: fc.anything(),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fc.string({ maxLength: 2000 }), fc.oneof(data, fc.anything()), (message, given) => {
      const failure = runnerFailureIn({ code: -31_000, message, data: given }, true)
      if (failure === null) return
      assert.ok(Object.hasOwn(PROBLEMS, failure.code))
      assert.ok(failure.reason.length < 600)
      assert.ok(JSON.stringify(failure.members).length < 200)
    }),
    { numRuns: fuzzCases(500) },
  )
})
