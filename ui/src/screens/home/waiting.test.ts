import assert from 'node:assert/strict'
import { test } from 'node:test'
import { driftWords, staleWords } from './waiting.ts'

test('a credential says the worst of its reasons, and its expiry or its age', () => {
  const of = (members: object) =>
    staleWords({ type: 'credential', ref: 'x', why: [], age_days: 95, expires_at: null, ...members })
  const expires_at = '2026-12-01T00:00:00Z'
  assert.deepEqual(of({ why: ['old', 'expired'], expires_at }), {
    state: 'bad',
    label: 'Expired',
    verb: 'expired',
    age: null,
  })
  assert.deepEqual(of({ why: ['expiring'], expires_at }), {
    state: 'warn',
    label: 'Expires soon',
    verb: 'expires',
    age: null,
  })
  assert.deepEqual(of({ why: ['due', 'old'] }), {
    state: 'warn',
    label: 'Rotation is due',
    verb: null,
    age: '95 days old',
  })
  assert.deepEqual(of({ why: ['old'], age_days: 1 }).age, '1 day old')
})

test('drift says how many items wait', () => {
  assert.equal(driftWords({ undecided: 1 }), '1 item to decide')
  assert.equal(driftWords({ undecided: 1200 }), '1,200 items to decide')
})
