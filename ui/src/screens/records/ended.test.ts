import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endedOf } from './ended.ts'

test('a call ended at a check or at a node of its workflow, with the reason that is known', () => {
  assert.equal(endedOf(null, 'the upstream closed the connection'), null)
  assert.deepEqual(endedOf('limits', null), { at: 'the check limits', why: null })
  assert.deepEqual(endedOf('authenticate', 'expired'), { at: 'the check authenticate', why: 'expired' })
  assert.deepEqual(endedOf('workflow', 'node "ok": there is no member total'), {
    at: 'the node ok of the workflow',
    why: 'there is no member total',
  })
  assert.deepEqual(endedOf('workflow', 'time is up'), { at: 'the check workflow', why: 'time is up' })
})
