import assert from 'node:assert/strict'
import { test } from 'node:test'
import { golden } from '../../test/golden/golden.ts'
import { ROLES } from '../access/principal.ts'
import { allows } from '../access/roles.ts'
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

test('hints follow from the effect, and a revocation is destructive', () => {
  for (const operation of OPERATIONS) {
    const { readOnlyHint, destructiveHint } = hintsOf([operation])
    assert.equal(readOnlyHint, operation.effect === 'read', nameOf(operation))
    const ends = operation.effect === 'delete' || nameOf(operation) === 'profiles.revoke'
    assert.equal(destructiveHint, ends, nameOf(operation))
  }
})

/** As in the table of tools: viewer, modifier, auditor, admin. */
const LETTERS = { viewer: 'V', modifier: 'M', auditor: 'A', admin: 'X' } as const

test('the permission table', () => {
  const rows = OPERATIONS.map((operation) => {
    const { method, path } = routeOf(operation)
    const marks = ROLES.map((role) => (allows(role, operation.permission) ? LETTERS[role] : '-'))
    return [
      nameOf(operation).padEnd(24),
      operation.permission.padEnd(22),
      marks.join(''),
      `${method} ${path}`.padEnd(34),
      operation.tool ?? '-',
    ].join('  ')
  })
  golden('permissions.txt', `${rows.map((row) => row.trimEnd()).join('\n')}\n`)
})
