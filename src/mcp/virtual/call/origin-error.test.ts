import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fuzzCases } from '../../../../test/support/long.ts'
import { PROBLEMS } from '../../../base/refusal.ts'
import { errorFor, MISSING_CAPABILITY, pagesIn, runnerFailureIn } from './origin-error.ts'

const MODERN = { isModern: true, version: '2026-07-28' }
const LEGACY = { isModern: false, version: '2025-11-25' }
const PAGES = { elicitations: [{ url: 'https://id.example/a', message: 'Sign in' }] }

test('an error that belongs to one era never reaches a caller of the other one as it is', () => {
  const missing = {
    code: MISSING_CAPABILITY,
    message: 'no roots',
    data: { requiredCapabilities: { roots: {} } },
  }
  assert.deepEqual(errorFor(missing, MODERN, true, null), { kind: 'error', ...missing, status: 400 })
  const hidden = { kind: 'error', code: -32603, message: 'The origin refused the request: no roots' }
  assert.deepEqual(errorFor(missing, LEGACY, true, null), hidden)
  assert.deepEqual(errorFor(missing, MODERN, false, null), hidden)
  const pages = { code: -32042, message: 'open a page', data: PAGES }
  assert.deepEqual(errorFor(pages, LEGACY, false, null), { kind: 'error', ...pages })
  const later = { kind: 'error', code: -32603, message: 'The origin refused the request: open a page' }
  assert.deepEqual(errorFor(pages, { isModern: false, version: '2025-06-18' }, false, null), later)
  assert.deepEqual(errorFor(pages, LEGACY, true, null), later)
})

test('a resource that is not there has the code of the era, and the URI by which the caller asked', () => {
  const error = { code: -32002, message: 'not found', data: { uri: 'file:///a' } }
  const asked = { own: 'file:///a', name: 'postern://desk/a' }
  const data = { uri: 'postern://desk/a' }
  assert.deepEqual(errorFor(error, LEGACY, false, asked), { ...error, kind: 'error', data })
  assert.deepEqual(errorFor(error, MODERN, false, asked), { ...error, kind: 'error', code: -32602, data })
  const other = { ...error, data: { uri: 'file:///b' } }
  assert.deepEqual(errorFor(other, LEGACY, false, asked), { ...other, kind: 'error' })
})

test('pages to open are taken only if each of them is one', () => {
  assert.deepEqual(pagesIn(PAGES), PAGES.elicitations)
  for (const data of [null, {}, { elicitations: {} }, { elicitations: [{ url: 'javascript:a' }] }])
    assert.equal(pagesIn(data), null, JSON.stringify(data))
  assert.equal(pagesIn({ elicitations: [...PAGES.elicitations, 7] }), null)
})

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
