import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OPERATIONS } from '../operations/registry.ts'
import { hintsOf } from './mcp/hints.ts'
import { nameOf, routeOf } from './route.ts'

test('each method and path, each name and each tool stands for one operation', () => {
  const routes = OPERATIONS.map((one) => {
    const { method, path } = routeOf(one)
    return `${method} ${path}`
  })
  for (const keys of [routes, OPERATIONS.map(nameOf), OPERATIONS.flatMap((one) => one.tool ?? [])])
    assert.equal(new Set(keys).size, keys.length, keys.join(', '))
})

/** Beside deletions. */
const DESTROYING = ['profiles.revoke', 'personal_tokens.revoke', 'revisions.rollback', 'config.apply']

test('hints follow from the effect, and what ends for good is destructive', () => {
  for (const operation of OPERATIONS) {
    const { readOnlyHint, destructiveHint } = hintsOf([operation])
    assert.equal(readOnlyHint, operation.effect === 'read', nameOf(operation))
    const ends = operation.effect === 'delete' || DESTROYING.includes(nameOf(operation))
    assert.equal(destructiveHint, ends, nameOf(operation))
  }
})
