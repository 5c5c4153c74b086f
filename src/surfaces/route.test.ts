import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Operation } from '../operations/engine/define.ts'
import { ALL_KINDS } from '../operations/kinds.ts'
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
const DESTROYING = [
  'profiles.revoke',
  'bindings.revoke_token',
  'connections.disconnect',
  'personal_tokens.revoke',
  'users.offboard',
  'revisions.rollback',
  'config.apply',
  'change_requests.approve',
]

test('hints follow from the effect, and what ends for good is destructive', () => {
  for (const operation of OPERATIONS) {
    const { readOnlyHint, destructiveHint } = hintsOf([operation])
    assert.equal(readOnlyHint, operation.effect === 'read', nameOf(operation))
    const ends = operation.effect === 'delete' || DESTROYING.includes(nameOf(operation))
    assert.equal(destructiveHint, ends, nameOf(operation))
  }
})

test('each kind of resource is listed, made, read, put, changed and deleted by its type, and pages hold 50, at most 200', () => {
  const routes = new Map<string, Operation>()
  for (const operation of OPERATIONS) {
    const { method, path } = routeOf(operation)
    routes.set(`${method} ${path}`, operation)
  }
  for (const { type } of ALL_KINDS) {
    const limit = routes.get(`GET /${type}`)?.input.shape['limit'] ?? assert.fail(type)
    const allowed = [200, 201].map((count) => limit.safeParse(count).success)
    assert.deepEqual([limit.parse(undefined), ...allowed], [50, true, false], type)
    const one = ['GET', 'PUT', 'PATCH', 'DELETE'].map((method) => `${method} /${type}/{id}`)
    for (const route of [`POST /${type}`, ...one]) assert.ok(routes.has(route), route)
  }
})
