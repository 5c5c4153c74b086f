import assert from 'node:assert/strict'
import { test } from 'node:test'
import { counted } from './count.ts'

test('a count has the singular for one alone', () => {
  assert.equal(counted(0, 'request'), '0 requests')
  assert.equal(counted(1, 'request'), '1 request')
  assert.equal(counted(1204, 'entry', 'entries'), '1,204 entries')
})
