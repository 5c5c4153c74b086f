import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountWords, placeOf } from './place.ts'

test('a connection is named by its origin and its user, and the one of all callers as shared', () => {
  const own = { origin: 'tickets', user: 'ada' }
  const shared = { origin: 'tickets', user: null }
  assert.deepEqual([placeOf(own), placeOf(shared)], [own, { origin: 'tickets', shared: true }])
  assert.deepEqual(
    [accountWords(own), accountWords(shared)],
    ['the account of ada at tickets', 'the shared account at tickets'],
  )
})
