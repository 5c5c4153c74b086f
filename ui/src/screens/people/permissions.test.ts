import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gridOf } from './permissions.ts'

test('permissions become a row for each resource and a column for each verb, common verbs first', () => {
  const { verbs, rows } = gridOf(['proxies:publish', 'proxies:read', 'audit:verify', 'audit:read'])
  assert.deepEqual(verbs, ['read', 'publish', 'verify'])
  assert.deepEqual(
    rows.map(({ resource, verbs: own }) => [resource, [...own].sort()]),
    [
      ['audit', ['read', 'verify']],
      ['proxies', ['publish', 'read']],
    ],
  )
})
